"""A cure tried: the same training with what the doctor would change, briefly, beside the training as it was."""

import dataclasses
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.doctor.finding import Finding
from peephole.doctor.planting.faults import Fault
from peephole.doctor.planting.model import PlantedModel
from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.runs.rows import Rows
from peephole.tasks.config import name_of, settings_of
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.model import TaskModel
from peephole.tasks.problem import ProblemModel
from peephole.tasks.text.model import TextModel
from peephole.train.contract import Listener, NotFinite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURED_ALONE = ("data in both splits",)  # a net learns the same with and without


@dataclass(frozen=True)
class Treated:
    """Held-out divergences, the best of trainings of `steps` steps, as it was and with the cure; infinite where one
    died. `folder` holds the treated run.
    """

    name: str
    steps: int
    before: float
    after: float
    folder: Path

    @property
    def improved(self) -> bool:
        """Whether the cure made it lower."""
        return self.after < self.before

    @property
    def verdict(self) -> str:
        """The two numbers."""
        change = "lower" if self.improved else "not lower"
        return (
            f"After {self.steps:,} steps the held-out divergence is {_said(self.before)} as it was and "
            f"{_said(self.after)} with the cure for {self.name}: {change}."
        )

    def plot(self, ax: "Axes") -> None:
        """Two bars."""
        ax.bar(["as it was", "with the cure"], [self.before, self.after])
        ax.set(ylabel="held-out divergence", title=self.name)

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        numbers = {"before": self.before, "after": self.after}
        found = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        return {"name": self.name, "steps": self.steps, **found, "folder": str(self.folder), "verdict": self.verdict}


def treat(
    model: TaskModel, finding: Finding, folder: Path, minutes: float = 1.0, listener: Listener | None = None
) -> Treated:
    """Train the run of `model` again with the cure of a finding, in `folder`, for as many steps as it had, or as many
    as `minutes` allow; then it is trained again as it was too, so that both had the same.

    What is killed goes on from where it was. The run itself stays as it is.

    Raises:
        InputError: the cure is nothing that a setting does, or its settings cannot be used; the run has no history, or
            its data is gone; `folder` holds something else.
    """
    changes, repaired = dict(finding.cure.changes), _repairs(model, finding)
    if finding.name in MEASURED_ALONE:
        raise InputError(f"the cure for {finding.name} changes what is measured and not the net; nothing to train")
    if not changes and not repaired:
        raise InputError(f"the cure for {finding.name} is not a setting, nothing to try: {finding.cure.text}")
    history = model.run.read_history()
    if not history:
        raise InputError(f"{model.run.folder}: has no history; expected a run that was trained")
    ended, died = int(history[-1]["step"]), "died" in history[-1]
    wanted = (model.task.training.steps if died else None) or ended
    steps = _affordable(history, wanted, minutes)
    as_long = steps >= wanted  # the run has had what the cure gets, or died on the way
    settings = {"experiment": "treatment", "finding": finding.name, "changes": changes, "steps": steps}
    with Rows.open(folder, settings) as rows:
        before = rows.done("before") or rows.add(
            "before",
            {"held_out": _kept(model) if as_long else _trained(model, {}, False, steps, folder / "before", listener)},
        )
        after = rows.done("after") or rows.add(
            "after", {"held_out": _trained(model, changes, repaired, steps, folder / "after", listener)}
        )
    return Treated(finding.name, steps, _number(before), _number(after), folder / "after")


def _affordable(history: list[dict[str, Any]], wanted: int, minutes: float) -> int:
    """As many of the wanted steps as fit into `minutes`, at the speed of the history."""
    timed = next((row for row in reversed(history) if row.get("seconds")), None)
    if timed is None:
        return wanted
    return max(1, min(wanted, int(60 * minutes * timed["step"] / timed["seconds"])))


def _repairs(model: TaskModel, finding: Finding) -> bool:
    """Whether what the finding is about was planted, so that it can be taken out."""
    fault = model.planted["fault"] if isinstance(model, PlantedModel) else None
    return bool(finding.cure.repair) and fault is not None and fault["cause"] == finding.name


def _trained(
    model: TaskModel, changes: Mapping[str, Any], repaired: bool, steps: int, folder: Path, listener: Listener | None
) -> float | None:
    treated = _again(model, changes, repaired, steps, folder)
    try:
        treated.fit(listener)
    except NotFinite:
        return None
    return _kept(treated)


def _kept(model: TaskModel) -> float | None:
    """The best held-out divergence of a training that was finished, None where it died before any."""
    if isinstance(model, PlantedModel):
        if not model.run.model_path.exists():
            return None
        value = PlantedModel.open(model.run).healthy_measure()
        return value if math.isfinite(value) else None
    measured = [row["held_out"] for row in model.run.read_history() if "held_out" in row]
    return min(measured, default=None)


def _number(row: Mapping[str, Any]) -> float:
    return math.inf if row["held_out"] is None else float(row["held_out"])


def _again(model: TaskModel, changes: Mapping[str, Any], repaired: bool, steps: int, folder: Path) -> TaskModel:
    """A run of the same task with other settings: new, or the one that an earlier try left in `folder`."""
    budget = {**dict.fromkeys(model.task.training.budgets()), "steps": steps}
    if isinstance(model, PlantedModel):
        if (folder / "config.json").is_file():
            return PlantedModel.resume(Run.open(folder))
        planted, fault = model.planted, model.planted["fault"]
        return PlantedModel.create(
            planted["task"],
            None if fault is None else Fault(**fault),
            planted["seed"],
            folder,
            [Path(path) for path in planted["files"]],
            {**planted["changes"], **changes, "steps": steps},
            repaired,
        )
    task = _changed(model.task, changes, budget)
    there = (folder / "config.json").is_file()
    if isinstance(model, ProblemModel):
        task = dataclasses.replace(task, static=False)
        return ProblemModel.resume(Run.open(folder)) if there else ProblemModel.create(task, folder)
    assert isinstance(model, TextModel | ExamplesModel)
    if isinstance(model, ExamplesModel):
        task = dataclasses.replace(task, baseline=False)
    return type(model).resume(Run.open(folder)) if there else _again_on_its_data(model, task, folder)


def _again_on_its_data(model: TextModel | ExamplesModel, task: Any, folder: Path) -> TaskModel:
    """With the data of the run, whatever has become of the files; the configuration last, which makes it a run."""
    _ = model.corpus if isinstance(model, TextModel) else model.part("train")  # says what is missing
    shutil.rmtree(folder, ignore_errors=True)
    run = Run.create(folder)
    shutil.copytree(model.run.data_folder, run.data_folder, copy_function=_linked)
    for path in (model.run.tokenizer_path, model.run.encoding_path, model.run.vectors_path):
        if path.exists():
            shutil.copy2(path, run.folder / path.name)
    run.write_config(name_of(task), settings_of(task))
    return type(model).resume(run)


def _linked(source: str, destination: str) -> str:
    """The same file under a second name where the disk can, else a copy: tokens are never written again."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)
    return destination


def _changed(task: Any, changes: Mapping[str, Any], budget: Mapping[str, Any]) -> Any:
    """The task with other settings, wherever among its groups they stand. `InputError` for one that it lacks."""
    left = dict(changes)
    groups: dict[str, Any] = {}
    for group, values in vars(task).items():
        if not dataclasses.is_dataclass(values):
            continue
        own = {field.name for field in dataclasses.fields(values)}
        new = {name: left.pop(name) for name in list(left) if name in own}
        if group == "training":
            new |= budget
        if new:
            groups[group] = dataclasses.replace(values, **new)  # pyright: ignore[reportArgumentType]
    if left:
        raise InputError(f"{next(iter(left))}: no setting of this task; change it by hand")
    return dataclasses.replace(task, **groups)


def _said(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "not finite, it died,"
