"""`PlantedModel`: a small training in its run folder, healthy or with a fault in it."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from peephole.data.config import TextData
from peephole.doctor.case import Batch, Case
from peephole.doctor.planting.examples import ProblemSource, Source, TextSource, read_text
from peephole.doctor.planting.faults import Fault, plan_of
from peephole.doctor.planting.objective import LeakingModel, PlantedObjective, divergence_of, mean, rounding
from peephole.doctor.planting.plan import HEALTHY, Plan
from peephole.doctor.planting.tasks import HealthyTask, healthy_task
from peephole.doctor.settings import flat_settings
from peephole.errors import InputError
from peephole.models.inputs import Numbers
from peephole.models.language.config import LanguageConfig
from peephole.models.sequence import SequenceModel
from peephole.runs.folder import Run
from peephole.tasks.config import ProblemTask, TextTask
from peephole.tasks.model import TaskModel, load_weights
from peephole.train.config import TrainingConfig
from peephole.train.contract import Listener, NotFinite
from peephole.train.curriculum import SizedTraining

BATCHES = 8  # of the training and of held-out data that a case has
LONGEST = 200  # steps of a sequence that is looked into
STEPS = 64  # that the batches of a case have together, at least


class PlantedModel(TaskModel[SequenceModel]):
    """A net that learns a healthy task, or a task with a fault."""

    unit = "answers"

    def __init__(self, run: Run, planted: Mapping[str, Any]) -> None:
        self.run, self.planted = run, dict(planted)
        healthy = healthy_task(planted["task"])
        fault = planted["fault"]
        self.plan: Plan = HEALTHY if fault is None else plan_of(Fault(**fault), healthy, planted["seed"])
        self.plan = mended(self.plan, planted["changes"], planted["repaired"])
        self.task = _task(healthy, self.plan, planted)
        self.source: Source
        if isinstance(self.task, ProblemTask):
            self.source = ProblemSource(self.task.problem, self.task.training, self.plan)
        else:
            tokens, symbols = read_text([Path(path) for path in planted["files"]])
            self.source = TextSource(tokens, symbols, self.task.training, self.plan)
        self.model = self._new_net()

    @classmethod
    def create(
        cls,
        task: str,
        fault: Fault | None,
        seed: int,
        out: Path | str,
        files: Sequence[Path] = (),
        changes: Mapping[str, Any] | None = None,
        repaired: bool = False,
    ) -> "PlantedModel":
        """A new run in `out`, untrained. `files` are the text of the tasks that read one. `changes` are settings by
        name on top of all, and `repaired` leaves out what was planted in the data and the net's own code.
        """
        planted: dict[str, Any] = {
            "task": task,
            "fault": None if fault is None else asdict(fault),
            "seed": seed,
            "files": [str(Path(path).absolute()) for path in files],
            "changes": dict(changes or {}),
            "repaired": repaired,
        }
        run = Run.create(Path(out))
        with run.lock():
            try:
                made = cls(run, planted)
                made.write_config()
            except BaseException:
                run.discard()
                raise
        return made

    @classmethod
    def open(cls, run: Run) -> "PlantedModel":
        """The model of a run as it was kept; as it was created where training died before anything was."""
        found = cls.resume(run)
        if run.model_path.exists() or run.checkpoint_folder.exists():
            load_weights(found.model, run)
        found.model.eval()
        return found

    @classmethod
    def resume(cls, run: Run) -> "PlantedModel":
        """A run to go on training."""
        config = run.read_config()
        if config["task"] != "planted":
            raise InputError(f"{run.folder}: a run of {config['task']}; expected one that was planted")
        return cls(run, config["settings"])

    def objective(self) -> PlantedObjective:
        return PlantedObjective(self.source)

    def write_config(self) -> None:
        self.run.write_config("planted", self.planted)

    def describe(self) -> list[str]:
        fault = self.planted["fault"]
        return [f"{self.planted['task']}, {'healthy' if fault is None else fault['cause']}"]

    @property
    def kind(self) -> str:
        config = self.model.config
        return f"{config.spec.code} {config.layers}×{config.hidden_size}"

    def show(self, measured: dict[str, Any]) -> str:
        return f"{measured.get('held_out', measured.get('divergence', math.nan)):.4f}"

    def examined(
        self, sequences: int, steps: int | None = None, most: int | None = None
    ) -> tuple[dict[str, Any], Callable[[Tensor], Tensor]]:
        """Held-out sequences as the pipeline gives them, whole where windows follow each other."""
        windows = joined(self.source.held_out()).first_rows(sequences)
        least, most = steps or 1, min(most or LONGEST, LONGEST)
        if windows.steps < least:
            raise InputError(f"held-out sequences have {windows.steps} steps; expected {least}")
        cut = _first_steps(windows, min(windows.steps, max(least, most)))
        arguments: dict[str, Any] = {"inputs": cut.inputs}
        if cut.resets is not None:
            arguments["resets"] = cut.resets
        return arguments, lambda outputs: divergence_of(outputs, cut)

    def fit(self, listener: Listener | None = None, **changes: Any) -> Any:
        """Train to the end, or until it dies: then there is no progress to return."""
        with rounding(self.model) if self.plan.rounds else nullcontext(), suppress(NotFinite):
            return super().fit(listener, **changes)
        return None

    def healthy_measure(self) -> float:
        """The mean divergence of the kept weights on held-out data without the fault."""
        self.model.eval()
        return mean(self.model, self.source.healthy.held_out())

    def case(self) -> Case:
        """The case that the doctor would have of a real run: no word of what was planted."""
        history = tuple(self.run.read_history())
        end = int(history[-1]["step"]) if history else BATCHES
        steps = self.source.batch(0).steps
        count = min(end, max(BATCHES, min(8 * BATCHES, STEPS // steps)))
        held_out = self.source.held_out()
        problem = self.task.problem if isinstance(self.task, ProblemTask) else None
        settings = flat_settings(self.task)
        if problem is not None:
            carries = bool(self.plan.unrelated or self.plan.cut)
            settings |= {"carry": carries} | ({"window": self.plan.cut} if self.plan.cut else {})
        return Case(
            model=self.model.eval(),
            training=tuple(self.source.batch(step) for step in range(end - count, end)),
            held_out=held_out if problem is not None else held_out[:count],
            history=history,
            settings=settings,
            dependency=None if problem is None else problem.span,
            examples=self.source.examples,
            streams=self.source.streams if isinstance(self.source, TextSource) else None,
            trivial=None if problem is None or self.plan.window is not None else problem.blind,
            start=self._new_net(),
        )

    def _new_net(self) -> SequenceModel:
        torch.manual_seed(self.planted["seed"])
        config, more, plan = self.task.model, int(self.plan.padding), self.plan
        if isinstance(self.source, ProblemSource):
            problem = self.source.problem
            entry = problem.symbols + more if problem.symbols else Numbers(problem.features)
            outputs = problem.outputs if problem.valued else problem.outputs + more
            sizes: tuple[Any, ...] = (entry, config, outputs, problem.valued)
        else:
            assert isinstance(self.source, TextSource)
            sizes = (self.source.symbols + more, config)
        leaks = {"leak": plan.leak, "leak_from": plan.leak_from}
        net = LeakingModel(*sizes, **leaks) if plan.leak else SequenceModel(*sizes)
        if plan.start is not None:
            with torch.no_grad():
                plan.start(net)
        return net


def mended(plan: Plan, changes: Mapping[str, Any], repaired: bool) -> Plan:
    """A plan with a cure: settings that replace what it changes elsewhere, and its own code and data repaired."""
    if {"init", "forget_bias", "nonlinearity", "cell"} & changes.keys():
        plan = replace(plan, start=None)
    if changes.get("carry") is False:
        plan = replace(plan, unrelated=0.0)
    if "window" in changes and plan.cut is not None:
        plan = replace(plan, cut=changes["window"])
    if repaired:
        kept = {name: getattr(plan, name) for name in ("cell", "problem", "model", "training")}
        plan = Plan(**kept)
    return plan


def _task(healthy: HealthyTask, plan: Plan, planted: Mapping[str, Any]) -> ProblemTask | TextTask:
    cell = planted["changes"].get("cell") or plan.cell or healthy.model.cell
    of_cell = {} if cell == healthy.model.cell else healthy.cells.get(cell, {})
    settings = {**of_cell, **plan.model, **plan.training, "cell": cell, "seed": planted["seed"], **planted["changes"]}
    net = replace(healthy.model, **_of(type(healthy.model), settings))
    loop = replace(healthy.training, **_of(type(healthy.training), settings))
    if healthy.problem is None:
        assert isinstance(loop, TrainingConfig)
        assert isinstance(net, LanguageConfig)
        return TextTask(TextData(), net, loop)
    assert isinstance(loop, SizedTraining)
    return ProblemTask(replace(healthy.problem, **plan.problem), net, loop)


def _of(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings that are fields of a dataclass."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in settings.items() if name in names}


def joined(windows: Sequence[Batch]) -> Batch:
    """Windows that follow each other as one, as far as they do."""
    run = list(windows[:1])
    for window in windows[1:]:
        if not window.carry:
            break
        run.append(window)
    resets = [torch.zeros(one.targets.shape[:2], dtype=torch.bool) if one.resets is None else one.resets for one in run]
    return Batch(
        torch.cat([one.inputs for one in run]),
        torch.cat([one.targets for one in run]),
        torch.cat([one.counts for one in run]),
        torch.cat(resets) if any(one.resets is not None for one in run) else None,
    )


def _first_steps(batch: Batch, steps: int) -> Batch:
    return Batch(
        batch.inputs[:steps],
        batch.targets[:steps],
        batch.counts[:steps],
        None if batch.resets is None else batch.resets[:steps],
    )
