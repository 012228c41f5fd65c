"""`Record`: a run as others are compared with it, read from its folder."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.runs.history import judged, measured_rows
from peephole.tasks import task_named
from peephole.tasks.config import ProblemTask, TextTask, settings_of
from peephole.tasks.examples.settings import ExamplesTask
from peephole.train.checkpoint import find_checkpoint, read_checkpoint

Task = TextTask | ProblemTask | ExamplesTask
BUDGETS = ("steps", "epochs", "minutes")
CHARACTERS, BY_WORDS = "bits a character", "nats a word"
OF_TEXT = {"char": CHARACTERS, "word": BY_WORDS, "bpe": "nats a piece"}


@dataclass(frozen=True)
class Point:
    """A measurement on held-out data: after how many steps and minutes, and what came out, in the record's unit."""

    step: int
    minutes: float
    held_out: float


@dataclass(frozen=True)
class Record:
    """A run that was measured at least once.

    `held_out` and `right` are those of the weights that the run keeps: the best, or with `keep="last"` the last.
    Divergences are in `unit`: bits a character of text, nats a word or piece; nats or squared error an answer of a
    problem. `total` are the
    steps of the budget, None where they are not known; `parameters` likewise.
    """

    folder: Path
    name: str
    task: str
    settings: dict[str, Any]
    version: str
    unit: str
    curve: tuple[Point, ...]
    held_out: float
    right: float | None
    steps: int
    total: int | None
    minutes: float
    parameters: int | None
    training: bool
    finished: bool

    @property
    def seed(self) -> int:
        """The seed of weights, dropout and order."""
        return int(self.settings["training"]["seed"])

    @property
    def progress(self) -> str | None:
        """What is said of a run that is not at the end of its budget; None of one that is."""
        if self.finished:
            return None
        of = "" if self.total is None else f" of {self.total:,}"
        return f"{self.name} {'is training now' if self.training else 'was stopped'}, after step {self.steps:,}{of}"


def unit_of(task: Task) -> str:
    """What held-out divergences are counted in."""
    if isinstance(task, TextTask):
        return OF_TEXT[task.data.tokens]
    if isinstance(task, ExamplesTask):
        return task.unit
    return "squared error" if task.problem.valued else "nats"


def in_unit(nats: float, unit: str) -> float:
    """A divergence of the history in the unit of its task."""
    return nats / math.log(2) if unit == CHARACTERS else nats


def number(value: float, unit: str, signed: bool = False) -> str:
    """A divergence as it is written: of text with four decimals, else with three digits, whatever its size."""
    sign = "+" if signed else ""
    return f"{value:{sign}.4f}" if unit in OF_TEXT.values() else f"{value:{sign}.3g}"


def read_record(folder: Path) -> Record:
    """The record of the run in `folder`.

    Raises:
        InputError: it is no run, cannot be read, or has nothing to compare: its weights were set by hand, there is no
            history, or it ended before its first measurement.
    """
    run = Run.open(folder)
    config = run.read_config()
    task, settings = task_named(run).task_from(run), config["settings"]
    if settings.get("net") == "by hand":
        raise InputError(f"{folder}: its weights were set by hand, nothing was trained; leave it out")
    history, training = run.read_history(), run.is_training()
    measured = measured_rows(history)
    if not measured:
        raise InputError(f"{folder}: {_why_nothing(run, history, training)}")
    unit = unit_of(task)
    kept = measured[-1] if task.training.keep == "last" else min(measured, key=judged)
    last = history[-1]
    total, ended = _budget(run, task)
    return Record(
        folder=run.folder,
        name=str(folder),
        task=config["task"],
        settings=settings_of(task),
        version=str(config["peephole"]),
        unit=unit,
        curve=tuple(
            Point(row["step"], row.get("seconds", 0.0) / 60, in_unit(row["held_out"], unit)) for row in measured
        ),
        held_out=in_unit(kept["held_out"], unit),
        right=kept.get("right"),
        steps=last["step"],
        total=total,
        minutes=last.get("seconds", 0.0) / 60,
        parameters=_parameters(run),
        training=training,
        finished=not training and "died" not in last and (ended or total is None or last["step"] >= total),
    )


def _why_nothing(run: Run, history: list[dict[str, Any]], training: bool) -> str:
    after = f"after step {history[-1]['step']:,}" if history else "in its first steps"
    if training:
        return "is training and was not measured yet; wait for its first measurement"
    if not history and not run.history_path.is_file():
        return f"has no history, it was never trained; train it with: peephole train --resume {run.folder}"
    return f"ended {after}, before its first measurement; go on with: peephole train --resume {run.folder}"


def _budget(run: Run, task: Task) -> tuple[int | None, bool]:
    """Steps of the budget, and whether patience ended it sooner; of a budget in minutes the checkpoint knows."""
    checkpoint = find_checkpoint(run.checkpoint_folder)
    try:
        count = 0 if checkpoint is None else len(list(checkpoint.glob("rank-*")))
        saved = {} if checkpoint is None else read_checkpoint(checkpoint, 0, count)["progress"]
    except InputError:  # replaced by a training just now, or damaged: what is compared stands in the history
        saved = {}
    patience = task.training.patience
    ended = bool(patience) and saved.get("since_best", 0) >= patience
    return task.training.steps or saved.get("total"), ended


def _parameters(run: Run) -> int | None:
    """How many numbers the net has learnt, by the shapes in the head of the file of its weights."""
    try:
        with safe_open(run.model_path, framework="pt") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return None


def renamed(records: list[Record]) -> list[Record]:
    """The records with names as short as tell them apart: without the folders that all of them share."""
    folders = [record.folder for record in records]
    shared = next((parent for parent in folders[0].parents if all(parent in each.parents for each in folders)), None)
    if shared is None or len(folders) < 2:
        return records
    return [dataclasses.replace(record, name=str(record.folder.relative_to(shared))) for record in records]
