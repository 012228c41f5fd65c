"""`peephole runs FOLDER`."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from peephole.cli.parsing import emit, parse
from peephole.errors import InputError

DESCRIPTION = "A table of the runs in a folder, best first."


@dataclass(frozen=True)
class Runs:
    """Options of `peephole runs`."""

    # Folder with runs in it, at any depth.
    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="[FOLDER]")] = Path("runs")

    # Print one JSON object a line.
    json: bool = False


def run(words: list[str]) -> int:
    """Print one line a run; a run that cannot be read is listed with the reason."""
    options = parse(Runs, "runs", words, DESCRIPTION)
    from peephole.runs.folder import find_runs

    rows = [_row(run, options.folder) for run in find_runs(options.folder)]
    if not rows:
        raise InputError(f"{options.folder}: no runs in it; `peephole train --out {options.folder}/NAME` makes one")
    rows.sort(key=lambda row: row["held_out"] if row["held_out"] is not None else math.inf)
    if options.json:
        for row in rows:
            emit(json.dumps(row, ensure_ascii=False) + "\n")
        return 0
    width = max(len(row["run"]) for row in rows)
    emit(f"{'run'.ljust(width)}  {'bits held out':>13}  {'steps':>9}  {'minutes':>7}  model\n")
    for row in rows:
        bits = f"{row['held_out'] / math.log(2):.4f}" if row["held_out"] is not None else "-"
        emit(f"{row['run'].ljust(width)}  {bits:>13}  {row['steps']:>9,}  {row['minutes']:>7.1f}  {row['model']}\n")
    return 0


def _row(run: Any, parent: Path) -> dict[str, Any]:
    history = run.read_history()
    last = history[-1] if history else {}
    measured = [row["held_out"] for row in history if "held_out" in row]
    try:
        settings = run.read_config()["settings"]
        model = f"{settings['model']['cell']} {settings['model']['layers']}×{settings['model']['hidden_size']}"
    except (InputError, KeyError) as error:
        model = str(error)
    return {
        "run": str(run.folder.relative_to(parent.absolute())),
        "held_out": min(measured) if measured else None,
        "steps": last.get("step", 0),
        "minutes": last.get("seconds", 0.0) / 60,
        "model": model + (", training now" if run.is_training() else ""),
    }
