"""Where a training goes, and how it is carried out: what `peephole train` does the same for every task."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.cli.parsing import emit
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.tasks.model import TaskModel


@dataclass(frozen=True)
class Output:
    """Where the run goes."""

    # Run folder to make. Default: runs/ and the first free number, so that nothing is overwritten.
    out: Path | None = None

    # Go on with this run instead, with the settings it began with; only a budget (--steps, --epochs, --minutes) may
    # be given with it, to train longer.
    resume: Path | None = None


def carry_out(model: "TaskModel", changes: dict[str, Any]) -> int:
    """Train to the end of the budget, showing progress. Returns 0, or 130 after Ctrl-C, having said how to go on."""
    from peephole.cli.progress import Progress
    from peephole.runs.folder import process_rank
    from peephole.train.contract import Interrupted

    folder = short(model.run.folder)
    progress = Progress(model, sys.stderr)
    said = ""
    try:
        model.fit(progress, **changes)
    except Interrupted as stopped:
        said = (
            f"stopped after step {stopped.step:,}, everything is saved; go on with: peephole train --resume {folder}\n"
        )
    except KeyboardInterrupt:  # before the first step, or asked twice
        said = f"interrupted; go on with: peephole train --resume {folder}\n"
    finally:
        progress.close()
    if process_rank() == 0:
        emit(said)
    return 130 if said else 0


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
        if flag.removeprefix("--") not in ("resume", *budgets):
            raise InputError(f"--resume keeps the settings of the run; leave {flag} away, or begin a new run")
    values = {name: getattr(training, name) for name in budgets}
    return {name: value for name, value in values.items() if value is not None}


def short(folder: Path) -> Path:
    """The folder as one would type it from here."""
    try:
        return folder.relative_to(Path.cwd())
    except ValueError:
        return folder
