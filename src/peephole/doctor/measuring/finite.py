"""Where a number that is not finite was born: in the data, in the weights, in the forward or in the backward run."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.doctor.measuring.course import course
from peephole.doctor.measuring.gradients import gradients
from peephole.doctor.measuring.level import level
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating
from peephole.inside.trace import trace


@dataclass(frozen=True)
class Birth:
    """The first place at which something is not finite.

    `kind` says what it is: "data", "start" (a weight before training), "weights" (a weight now), "forward", "backward",
    "history" (the training said so, and nothing that is left shows it) or "" where all is finite. `where` is for
    people; `share` is that of the values there which are not finite.
    """

    kind: str = ""
    where: str = ""
    share: float = 0.0


def birth(examination: Examination) -> Birth:
    """Looked for in the order in which one leads to another."""
    case, went = examination.case, examination.measured(course)
    found = _in_data(case) or _in_weights(case.start, "start") or _in_weights(case.model, "weights")
    if found is None and case.model is not None and case.training:
        suspected = bool(went.died) or not len(went.steps)  # a training that went on has had gradients that were finite
        if suspected or not math.isfinite(examination.measured(level).training):
            found = _forward(case) or _backward(examination)
    if found is None and went.died:
        born = f", first in the gradient of {went.born}" if went.born else ""
        found = Birth("history", f"{went.died}{born}")
    return found or Birth()


def _in_data(case: Case) -> Birth | None:
    """Batches are counted from 1, in the order in which they were given; steps, rows and features from 0."""
    for split, batches in (("training", case.training), ("held-out", case.held_out)):
        for number, batch in enumerate(batches, 1):
            for name in ("inputs", "targets", "weights"):
                value = getattr(batch, name)
                if value is None or not value.is_floating_point():
                    continue
                wrong = ~torch.isfinite(value)
                if bool(wrong.any()):
                    place = wrong.nonzero()[0].tolist()
                    named = [f"{axis} {at}" for axis, at in zip(("step", "row", "feature"), place, strict=False)]
                    shown = float(value[tuple(place)])
                    where = f"the {name} of {split} batch {number} of {len(batches)} ({', '.join(named)}: {shown})"
                    return Birth("data", where, float(wrong.float().mean()))
    return None


def _in_weights(model: nn.Module | None, kind: str) -> Birth | None:
    if model is None:
        return None
    for name, value in model.named_parameters():
        wrong = ~torch.isfinite(value.detach())
        if bool(wrong.any()):
            when = " before training" if kind == "start" else ""
            return Birth(
                kind, f"{int(wrong.sum())} of the {wrong.numel()} weights {name}{when}", float(wrong.float().mean())
            )
    return None


def _forward(case: Case) -> Birth | None:
    """The first module whose output is not finite, and of a recurrent net the first gate or state of the first step."""
    assert case.model is None or isinstance(case.model, nn.Module)
    for number, batch in enumerate(case.training, 1):
        first: list[str] = []
        with _listening(case.model, first), torch.no_grad():
            outputs = case.run(batch)[0]
            value = case.divergence(outputs, batch)
        if bool(torch.isfinite(outputs).all()) and bool(torch.isfinite(value)):
            continue
        inside = _inside(case, batch) if first else ""
        where = f"module {first[0]}" if first else "the divergence of finite outputs"
        return Birth("forward", f"{where}{inside}, on training batch {number} of {len(case.training)}")
    return None


@contextlib.contextmanager
def _listening(model: Any, first: list[str]) -> Iterator[None]:
    """While it runs, the names of the modules whose output is not finite, in the order in which they end."""

    def hook(name: str) -> Any:
        def hear(module: nn.Module, given: Any, returned: Any) -> None:
            if any(not bool(torch.isfinite(value).all()) for value in _tensors(returned)):
                first.append(name or type(module).__name__)

        return hear

    handles = [part.register_forward_hook(hook(name)) for name, part in model.named_modules()]
    try:
        with evaluating(model):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, PackedSequence):
        return [value.data]
    if isinstance(value, tuple | list):
        return [each for one in value for each in _tensors(one)]
    return [value] if isinstance(value, Tensor) and value.is_floating_point() else []


def _inside(case: Case, batch: Batch) -> str:
    """The gate or state that is not finite first, where the net can be traced."""
    assert case.model is not None
    try:
        with evaluating(case.model), torch.no_grad(), trace(case.model, gradients=False) as seen:
            case.run(batch)
    except (InputError, RuntimeError):
        return ""
    for layer in seen.layers:
        born = {
            name: ~torch.isfinite(value).flatten(1).all(1)
            for name, value in (*layer.gates.items(), *layer.states.items())
        }
        steps = {name: int(wrong.nonzero()[0]) for name, wrong in born.items() if bool(wrong.any())}
        if steps:
            name = min(steps, key=lambda one: steps[one])
            return f" ({name} of {layer.name} at step {steps[name]})"
    return ""


def _backward(examination: Examination) -> Birth | None:
    for name, each in examination.measured(gradients).items():
        if not all(bool(torch.isfinite(gradient).all()) for gradient in each):
            return Birth("backward", f"the gradient of {name}, while the divergence is finite")
    return None
