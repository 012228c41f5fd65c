"""Where a training goes, and how it is carried out: what `peephole train` does the same for every task."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.cli.parsing import emit
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.tasks.measured import Measured
    from peephole.tasks.model import TaskModel


@dataclass(frozen=True)
class Output:
    """Where the run goes."""

    # Run folder to make. Default: runs/ and the first free number, so that nothing is overwritten.
    out: Path | None = None

    # Go on with this run instead, with the settings it began with; only a budget (--steps, --epochs, --minutes) may
    # be given with it, to train longer.
    resume: Path | None = None

    # Write report.html into the run at the end, also after Ctrl-C: the run with figures, as `peephole report` has it.
    # Needs the extra figures; where it is missing, one line says so.
    report: bool = True


def carry_out(model: "TaskModel", changes: dict[str, Any], reported: "TaskModel | None" = None) -> int:
    """Train to the end of the budget, showing progress. Returns 0, or 130 after Ctrl-C, having said how to go on.

    Where it ends before its time, by Ctrl-C or because it blew up, `reported` is what a report is written of.
    """
    from peephole.cli.progress import Progress
    from peephole.runs.folder import process_rank
    from peephole.train.contract import Interrupted

    folder = short(model.run.folder)
    progress = Progress(model, sys.stderr)
    said, began = "", _stamp(model)
    try:
        model.fit(progress, **changes)
    except Interrupted as stopped:
        said = (
            f"stopped after step {stopped.step:,}, everything is saved; go on with: peephole train --resume {folder}\n"
        )
    except KeyboardInterrupt:  # before the first step, or asked twice
        said = f"interrupted; go on with: peephole train --resume {folder}\n"
    except InputError:
        progress.close()
        if reported is not None and _stamp(model) != began:  # it had begun; what blew up can be looked at
            write_report(reported)
        raise
    finally:
        progress.close()
    if process_rank() == 0:
        emit(said)
    if said and reported is not None and _stamp(model) is not None:
        write_report(reported)
    return 130 if said else 0


def write_report(model: "TaskModel", measured: "Measured | None" = None) -> None:
    """Write report.html into the run and say where. Whatever goes wrong is one line: the training is done and saved."""
    from peephole.runs.folder import process_rank

    if process_rank():
        return
    folder = short(model.run.folder)
    again = f"peephole report {folder}"
    try:
        from peephole.figures import check_installed

        check_installed()
        from peephole.report import look_at, make

        print("writing the report; Ctrl-C leaves it away", file=sys.stderr, flush=True)
        make(look_at(model.run.folder), measured=measured).write(model.run.folder / "report.html")
    except KeyboardInterrupt:
        print(f"no report was written; {again} writes it", file=sys.stderr, flush=True)
    except Exception as error:  # a bug in a figure must not make a training fail that took hours
        said = " ".join(str(error).split()) or type(error).__name__
        print(f"no report was written ({said}); {again} writes it", file=sys.stderr, flush=True)
    else:
        print(f"wrote {folder / 'report.html'}", file=sys.stderr, flush=True)


def _stamp(model: "TaskModel") -> tuple[int, int] | None:
    """What changes when a training adds to its history; None where there is none."""
    path = model.run.history_path
    if not path.is_file():
        return None
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def folder_for(output: Output, devices: int) -> Path:
    """The folder to make. `InputError` where several processes could not agree on one."""
    from peephole.runs.folder import process_rank

    if output.out is None and (devices > 1 or process_rank()):
        raise InputError("several processes share one run; say where it goes with --out")
    if output.out is not None:
        return output.out
    parent, number = Path("runs"), 1
    while (parent / f"{number:03d}").exists():
        number += 1
    return parent / f"{number:03d}"


def budget_alone(training: Any, words: list[str]) -> dict[str, object]:
    """The budget given beside --resume. `InputError` for any other setting: it would not be the same run."""
    budgets = training.budgets()
    for flag in (word.split("=")[0].replace("_", "-") for word in words if word.startswith("--")):
        if flag.removeprefix("--") not in ("resume", "report", "no-report", *budgets):
            raise InputError(f"--resume keeps the settings of the run; leave {flag} away, or begin a new run")
    values = {name: getattr(training, name) for name in budgets}
    return {name: value for name, value in values.items() if value is not None}


def short(folder: Path) -> Path:
    """The folder as one would type it from here."""
    try:
        return folder.relative_to(Path.cwd())
    except ValueError:
        return folder
