"""`peephole runs FOLDER`."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from peephole.cli.parsing import emit, parse
from peephole.errors import InputError
from peephole.runs.history import best_row

DESCRIPTION = (
    "A table of the runs in a folder, task by task, best first: bits a character of held-out text, or the share of "
    "right answers to a problem."
)

EMBEDDINGS = ("skipgram", "cbow")  # as `tasks` has it, which loads torch


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
    rows.sort(key=_place)
    if options.json:
        for row in rows:
            emit(json.dumps(row, ensure_ascii=False) + "\n")
        return 0
    width = max(len(row["run"]) for row in rows)
    emit(f"{'run'.ljust(width)}  {'held out':>13}  {'steps':>9}  {'minutes':>7}  model\n")
    for row in rows:
        spent = f"{row['steps']:>9,}  {row['minutes']:>7.1f}"
        emit(f"{row['run'].ljust(width)}  {_held_out(row):>13}  {spent}  {row['model']}\n")
    return 0


def _place(row: dict[str, Any]) -> tuple[bool, bool, str, str, float]:
    """What is known before what is not, text first, and each task, and kind of tokens, by its held-out divergence."""
    value = math.inf if row["held_out"] is None else row["held_out"]
    return row["task"] is None, row["task"] != "text", row["task"] or "", row["tokens"], value


def _held_out(row: dict[str, Any]) -> str:
    if row["held_out"] is None:
        return "-"
    if row["right"] is not None:
        return f"{row['right']:.2%} right"
    if row["task"] != "text":
        return f"{row['held_out']:.4f}"
    if row["tokens"] != "char":
        return f"ppl {math.exp(min(row['held_out'], 700)):,.2f}"
    return f"{row['held_out'] / math.log(2):.4f} bits"


def _row(run: Any, parent: Path) -> dict[str, Any]:
    history = run.read_history()
    last = history[-1] if history else {}
    best = best_row(history) or {}
    task, tokens = None, ""
    try:
        config = run.read_config()
        task, settings = config["task"], config["settings"]
        if task in EMBEDDINGS:
            return _embedding(run, parent, task, settings, last)
        model = f"{settings['model']['cell']} {settings['model']['layers']}×{settings['model']['hidden_size']}"
        if context := settings["model"].get("context"):
            model = f"tdnn of {context}, {settings['model']['hidden_size']} units"
        net = settings.get("net", "recurrent")
        model = {"static": "static net", "mlp": "mlp", "by hand": f"{model}, weights set by hand"}.get(net, model)
        if task == "text":
            tokens = settings["data"].get("tokens", "char")
            model = {"word": f"words, {model}", "bpe": f"pieces, {model}"}.get(tokens, model)
        else:
            model = f"{task}, {model}"
    except (InputError, KeyError) as error:
        model = str(error)
    return _listed(run, parent, last, best) | {
        "task": task,
        "tokens": tokens,
        "model": model + (", training now" if run.is_training() else ""),
    }


def _embedding(run: Any, parent: Path, task: str, settings: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    """A run of vectors of words, which are held against nothing while they are learnt."""
    model = f"{task}, {settings['model']['size']} numbers a word, loss {last.get('divergence', math.nan):.3f}"
    model += ", training now" if run.is_training() else ""
    return _listed(run, parent, last, {}) | {"task": task, "tokens": "word", "model": model}


def _listed(run: Any, parent: Path, last: dict[str, Any], best: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": str(run.folder.relative_to(parent.absolute())),
        "task": None,
        "tokens": "",
        "held_out": best.get("held_out"),
        "right": best.get("right"),
        "steps": last.get("step", 0),
        "minutes": last.get("seconds", 0.0) / 60,
        "model": "",
    }
