"""`peephole compare TASK`: train every cell with every seed, then compare."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from peephole.cli.compare_out import check_folder, show, write_findings
from peephole.cli.compare_task import parse_task
from peephole.errors import InputError

DESCRIPTION = (
    "{about} Train every cell with every seed, a run folder each within --out, and compare them: spread over seeds, "
    "the distance to the best and whether it may be chance. Seed by seed through the cells; the same command goes on "
    "where it was stopped, in the middle of a training too. The options below are those of `peephole train`."
)


@dataclass(frozen=True)
class CompareCells:
    """Options of `peephole compare TASK` beside those of training."""

    # Cells to compare, with commas between. What one of them changes follows it after colons:
    # lstm,gru,lstm:peephole=diagonal:coupled=true. Any option of the model can stand there.
    cells: str = "rnn,gru,lstm"

    # How many seeds each is trained with, from --seed on. Of one nothing is known about chance; five or more tell small
    # differences apart.
    seeds: int = 3

    # Folder for the runs, the figure, comparison.svg, and the numbers, comparison.json. Default: runs/compare-TASK.
    out: Path | None = None

    # What the curves run over. Steps are what was learnt from, minutes what it cost.
    over: Literal["steps", "minutes"] = "steps"

    # Print one JSON object, with every run and its curve.
    json: bool = False

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"--seeds is {self.seeds}; expected at least 1")


def run(task: str, words: list[str]) -> int:
    """Check every net, train what is not trained yet, compare, draw, print."""
    options, base = parse_task("compare", CompareCells, task, words, DESCRIPTION, "cell")
    out = options.out or Path("runs") / f"compare-{task}"
    undrawn = check_folder(out)
    from peephole.cli.compare_progress import RunProgress
    from peephole.tasks.comparing.grid import compare_cells, read_cells
    from peephole.tasks.comparing.significance import check_installed
    from peephole.train.contract import Interrupted

    if options.seeds > 1:
        check_installed()
    entries = read_cells(options.cells, base.model)
    progress = RunProgress(sys.stderr)
    if undrawn:
        progress.say(f"no figure will be drawn: {undrawn}")
    try:
        found = compare_cells(
            base,
            entries,
            options.seeds,
            out,
            lambda training: progress.begin(training.text),
            lambda training: progress.tell(training.text, training.folder, training.died),
        )
    except (Interrupted, KeyboardInterrupt):
        progress.say(
            f"stopped, everything is saved; the same command goes on, peephole compare {out} shows what is done"
        )
        return 130
    write_findings(out / "comparison.json", found.as_dict())
    show(found, options.over, None if undrawn else out / "comparison.svg", options.json)
    return 0
