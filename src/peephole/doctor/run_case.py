"""A run folder as a `Case`: whatever became of it, and whatever of it is left."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.lanes import Lanes
from peephole.doctor.case import Batch, Case
from peephole.doctor.examples_case import with_examples
from peephole.doctor.measuring.missing import FEWEST_STEPS
from peephole.doctor.settings import flat_settings
from peephole.errors import InputError
from peephole.models.static import StaticModel
from peephole.runs.folder import Run
from peephole.tasks import EMBEDDINGS
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.model import TaskModel
from peephole.tasks.problem import ProblemModel
from peephole.tasks.subject import look_at
from peephole.tasks.text.model import TextModel

BATCHES = 8  # of training and of held-out data: enough to see whether states are carried with reason
COUNTED = 1_000_000  # tokens whose counts say what an answer costs that sees nothing


def read_case(folder: Path | str) -> Case:
    """The case of the run in a folder.

    What cannot be read is left out, and `Case.unfinished` says so: weights that were never kept, data that is gone,
    settings that this version does not know. `InputError` where not even a history is left, or there is no run.
    """
    run = Run.open(Path(folder))
    if _is_planted(run):
        from peephole.doctor.planting.model import PlantedModel  # which needs this module

        return PlantedModel.open(run).case()
    try:
        subject = look_at(folder)
    except InputError as error:
        if _holds_vectors(run):
            raise
        return _history_alone(run, str(error))
    case = task_case(subject.model, subject.trained)
    if run.is_training():
        told = "it is in training now: this is how it is at the moment"
        case = dataclasses.replace(case, unfinished=(told, *case.unfinished))
    return case


def load_any(folder: Path | str) -> TaskModel:
    """The model of a run to be looked at, whatever became of it, a planted one too."""
    run = Run.open(Path(folder))
    if _is_planted(run):
        from peephole.doctor.planting.model import PlantedModel

        return PlantedModel.open(run)
    return look_at(folder).model


def _is_planted(run: Run) -> bool:
    try:
        return run.read_config()["task"] == "planted"
    except InputError:
        return False


def _holds_vectors(run: Run) -> bool:
    try:
        return run.read_config()["task"] in EMBEDDINGS
    except InputError:
        return False


def task_case(model: TaskModel, trained: bool = True) -> Case:
    """The case of a task's model in its run."""
    history = tuple(model.run.read_history())
    unfinished: list[str] = []
    if not history:
        unfinished.append("there is no history: nothing can be said of how training went")
    elif len(history) == 1:
        unfinished.append("there is one step of history: nothing can be said of how training went")
    elif history[-1]["step"] < FEWEST_STEPS:
        unfinished.append(f"it was trained for {history[-1]['step']} steps: what is not learnt yet says little")
    if not trained:
        unfinished.append("no weights were kept: the net is looked at as it was before training")
    case = Case(
        model=model.model.eval(),
        history=history,
        settings=flat_settings(model.task),
        start=model.net_before() if trained else None,
    )
    try:
        if isinstance(model, TextModel):
            case = _with_text(case, model)
        elif isinstance(model, ProblemModel):
            case = _with_problem(case, model)
        elif isinstance(model, ExamplesModel) and model.aligned:
            case = with_examples(case, model)
        elif isinstance(model, ExamplesModel):
            case = dataclasses.replace(case, model=None, start=None)
            unfinished.append(
                "its answers have lengths of their own, and rules about nets ask for one a step or one a sequence: "
                "only the course of the training is looked at"
            )
    except InputError as error:
        unfinished.append(f"its data cannot be read ({error}): only history and weights are looked at")
    return dataclasses.replace(case, unfinished=tuple(unfinished))


def _history_alone(run: Run, why: str) -> Case:
    history = tuple(run.read_history())
    if not history:
        raise InputError(f"{why}; and without a history there is nothing to go by")
    settings: dict[str, Any] = {}
    try:
        for name, value in run.read_config()["settings"].items():
            settings |= value if isinstance(value, Mapping) else {name: value}
    except InputError:
        settings = {}
    return Case(history=history, settings=settings, unfinished=(f"only the history is looked at: {why}",))


def _with_text(case: Case, model: TextModel) -> Case:
    corpus, training, eod = model.corpus, model.task.training, model.tokenizer.eod
    batches = model.objective().batches(0, 1)
    count, carries = (BATCHES, training.carry) if training.bptt == "truncated" else (1, False)
    part, rows = corpus.held_out, training.batch_size
    steps = min(training.window, max(1, (len(part.tokens) - 1) // 2))
    lanes = Lanes(part, max(1, min(rows, (len(part.tokens) - 1) // steps)), steps, eod)
    tokens = np.asarray(corpus.train.tokens[:COUNTED])
    return dataclasses.replace(
        case,
        training=tuple(_cut(batches.next(), carries) for _ in range(count)),
        held_out=tuple(_cut(lanes.next(), carries) for _ in range(min(count, lanes.windows_per_epoch))),
        examples=len(corpus.train.tokens) - 1,
        streams=(corpus.train.tokens, corpus.held_out.tokens),
        trivial=_entropy(tokens),
    )


def _with_problem(case: Case, model: ProblemModel) -> Case:
    problem, objective = model.task.problem, model.objective()
    batches = objective.batches(0, 1)
    sizes = [int(row["size"]) for row in case.history if "size" in row]
    step = max(0, (int(case.history[-1]["step"]) if case.history else 0) - BATCHES)
    reached = sizes[-1] if sizes else problem.size
    batches.load_state_dict({"step": step, "largest": reached, "mastered": 0})
    held_out = objective.held_out
    static = isinstance(model.model, StaticModel)
    return dataclasses.replace(
        case,
        training=tuple(_cut(batches.next()) for _ in range(BATCHES)),
        held_out=(_cut(held_out),),
        dependency=None if static else problem.span,
        trivial=problem.blind,
    )


def _cut(window: Any, carries: bool = True) -> Batch:
    """The window's first rows; `carries` false where the training hands no state on."""
    batch = Batch.of(window)
    return dataclasses.replace(batch, carry=batch.carry and carries).few


def _entropy(tokens: NDArray[np.integer]) -> float:
    counts = np.bincount(tokens).astype(np.float64)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum()) if len(tokens) else math.nan
