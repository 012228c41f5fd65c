"""`peephole sweep TASK`: search over options of training, within a budget."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from peephole.cli.by_task import DATA_TASKS, PROBLEMS
from peephole.cli.compare_out import check_folder, write_findings
from peephole.cli.compare_task import in_minutes, parse_task
from peephole.cli.parsing import parse
from peephole.cli.sweep_out import draw_sweep, ending, show
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.tasks.comparing.record import Task

DESCRIPTION = (
    "{about} Try settings: each trial is a run folder within --out, trained with one seed; a table of what came of "
    "them, best first, the best as a command, and a figure of held-out divergence against each option. The same "
    "command goes on where it was stopped. The options below are those of `peephole train`, the same for every trial."
)
TASKS = "TASK is text, {data}, with FILES after it, or a problem ({problems}); peephole sweep text --help says more."
HALVED = 1.5  # times its share of --minutes that a trial may take where most are stopped: on average that leaves some


@dataclass(frozen=True)
class Sweep:
    """Options of `peephole sweep TASK` beside those of training."""

    # What to try of an option of the model or the training; once for each option. A range, learning_rate=1e-3..1e-2,
    # with :log after it for as many trials in each decade, or a list, hidden_size=64,128,256 or cell=gru,lstm.
    over: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="OPTION=VALUES")] = ()

    # How many settings to try.
    trials: int = 20

    # Minutes in all; once they are over no further trial begins. Without --steps or --epochs each trial is given its
    # share of them. Default: no limit, and each trial has the budget that `peephole train` gives it.
    minutes: float | None = None

    # random trains every trial to its end. halving stops, after two and after six of the ten measurements, all but the
    # best third of those that came as far; trials then have one and a half times their share of --minutes.
    how: Literal["random", "halving"] = "random"

    # Folder for the runs, the figure, sweep.svg, and the numbers, sweep.json. Default: runs/sweep-TASK.
    out: Path | None = None

    # Print one JSON object, with every trial.
    json: bool = False

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise InputError(f"--trials is {self.trials}; expected at least 1")
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise InputError(f"--minutes is {self.minutes}; expected more than 0, and finite")


def run(words: list[str]) -> int:
    """Check the space, try what was not tried yet, draw, print."""
    if not words or words[0] not in ("text", *DATA_TASKS, *PROBLEMS):
        if not words or words[0] in ("-h", "--help"):
            about = TASKS.format(data=", ".join(DATA_TASKS), problems=", ".join(PROBLEMS))
            parse(Sweep, "sweep TASK", words or ["--help"], DESCRIPTION.format(about=about))
        known = [*DATA_TASKS, *PROBLEMS]
        raise InputError(f"no task {words[0]!r}; expected text, with FILES after it, or one of {', '.join(known)}")
    task, rest = words[0], words[1:]
    options, base = parse_task("sweep", Sweep, task, rest, DESCRIPTION, "minutes")
    out = options.out or Path("runs") / f"sweep-{task}"
    undrawn = check_folder(out)
    from peephole.cli.compare_progress import RunProgress
    from peephole.tasks.sweeping.choosing import check_installed
    from peephole.tasks.sweeping.result import told
    from peephole.tasks.sweeping.search import sweep
    from peephole.tasks.sweeping.space import read_space
    from peephole.train.contract import Interrupted

    base = _shared_out(base, options, {word.split("=")[0] for word in rest})
    space = read_space(options.over, base)
    check_installed()
    progress = RunProgress(sys.stderr)
    if undrawn:
        progress.say(f"no figure will be drawn: {undrawn}")
    try:
        found = sweep(
            base,
            space,
            options.trials,
            out,
            options.how,
            options.minutes,
            progress.begin,
            lambda trial: progress.tell(told(trial.number, options.trials, trial.values), trial.folder, ending(trial)),
        )
    except (Interrupted, KeyboardInterrupt):
        progress.say("stopped, everything is saved; the same command goes on")
        return 130
    write_findings(out / "sweep.json", found.as_dict())
    figure = None if undrawn else draw_sweep(found, out / "sweep.svg")
    show(found, task, figure, options.json)
    return 0


def _shared_out(task: "Task", options: Sweep, flags: set[str]) -> "Task":
    """The task with a trial's share of the minutes, where they are what limits a trial."""
    from dataclasses import replace

    if options.minutes is None or flags & {"--steps", "--epochs"}:
        return task
    share = options.minutes / options.trials * (HALVED if options.how == "halving" else 1.0)
    return replace(task, training=in_minutes(task.training, share))  # pyright: ignore[reportArgumentType]
