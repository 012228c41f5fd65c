"""`peephole compare RUN RUN …`; with a task in their place, `compare_cells` trains what is compared."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from peephole.cli.by_task import DATA_TASKS, PROBLEMS
from peephole.cli.compare_out import check_figure, show
from peephole.cli.parsing import parse
from peephole.errors import InputError

DESCRIPTION = (
    "Runs beside each other: grouped by what differs besides the seed, with spread over seeds, the distance to the "
    "best and whether it may be chance (a t test, in pairs where the seeds are the same, corrected by Holm's method "
    "for several groups), and curves. RUNS are run folders, or folders that hold some. With a task in their place the "
    "runs are trained first: peephole compare text [FILES] --cells rnn,gru,lstm --seeds 3 --minutes 1 (peephole "
    "compare text --help says more); other tasks: {problems}."
)


@dataclass(frozen=True)
class Compare:
    """Options of `peephole compare RUN RUN …`."""

    # Run folders; of a folder that holds runs, all of them but those within a run.
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[RUNS ...]")] = ()

    # What the curves run over. Steps are what was learnt from, minutes what it cost.
    over: Literal["steps", "minutes"] = "steps"

    # File for the figure: its ending, .svg, .png or .pdf, says in which format.
    out: Path | None = None

    # Print one JSON object, with every run and its curve.
    json: bool = False


def run(words: list[str]) -> int:
    """Read the runs, compare, draw, print."""
    if words and words[0] in ("text", *DATA_TASKS, *PROBLEMS):
        if (Path.cwd() / words[0]).is_dir() and not any(word.split("=")[0] == "--cells" for word in words):
            raise InputError(f"{words[0]!r} is a task and a folder; write ./{words[0]}, or give --cells for the task")
        from peephole.cli.compare_cells import run as compare_cells

        return compare_cells(words[0], words[1:])
    options = parse(Compare, "compare", words, DESCRIPTION.format(problems=", ".join([*DATA_TASKS, *PROBLEMS])))
    check_figure(options.out)
    from peephole.tasks.comparing.result import compare

    named, within = _find(options.runs)
    show(compare(named, within), options.over, options.out, options.json)
    return 0


def _find(paths: tuple[Path, ...]) -> tuple[list[Path], list[Path]]:
    """Runs that were named, and those in folders that were; of a net that stands beside another only the latter."""
    from peephole.runs.folder import Run, find_runs

    named: list[Path] = []
    within: list[Path] = []
    for path in paths:
        holds = path.is_dir() and not (path / "config.json").is_file()
        found = [run.folder for run in find_runs(path)] if holds else []
        if not found:
            Run.open(path)  # says what is wrong with it
            named.append(path)
        within += [path / each.relative_to(path.absolute()) for each in found if not {*found} & {*each.parents}]
    if not named and not within:
        raise InputError("no runs given; expected run folders, or a task such as text to train the runs of")
    return named, within
