"""How much the gradient grows on its way back through time."""

import math
from dataclasses import dataclass

from torch import Tensor, nn

from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating
from peephole.stability.backward.flow import gradient_flow
from peephole.train.watch.row import WatchRow

ROWS, STEPS, TARGETS = 2, 64, 2  # closed-form Jacobians of wide nets are work


@dataclass(frozen=True)
class Explosion:
    """How many times as large the mean ‖∂Div(t)/∂state(t − lag)‖ becomes as it is at lag 0, at the lag where it is
    largest, of the layer and state where it grows most. NaN where it could not be measured.

    Attributes:
        start: with the weights before training.
        now: with those of the model; at the last look, where the start could be measured.
        looks: as the training itself saw it, by step.
        curve: by lag, of the state that grows most, `[lags]`: of the start where that is known, else of now.
        where: which state of which layer that is.
    """

    start: float
    now: float
    looks: tuple[tuple[int, float], ...]
    curve: tuple[float, ...]
    where: str

    @property
    def first(self) -> float:
        """Before training has changed much: of the start, else at the first look; NaN where neither is known."""
        return self.start if math.isfinite(self.start) or not self.looks else self.looks[0][1]

    @property
    def most(self) -> float:
        """The largest of all that was seen; NaN where nothing was."""
        known = [value for value in (self.start, self.now, *(growth for _, growth in self.looks)) if value == value]
        return max(known, default=math.nan)


def explosion(examination: Examination) -> Explosion:
    """Of the start, or without one of the model, on a training batch from zero states, and of every look."""
    case = examination.case
    looks: list[tuple[int, float]] = []
    seen: tuple[float, tuple[float, ...], str] = (math.nan, (), "")
    for row in case.history:
        look = WatchRow.read(row)
        if look is not None and look.flow:
            curves = {f"{state} of {layer}": curve for layer, by in look.flow.items() for state, curve in by.items()}
            seen = _most(curves)
            looks.append((look.step, seen[0]))
    start = _measured(case, case.start)
    now = _measured(case, case.model) if math.isnan(start[0]) else seen
    shown = start if start[1] else now if now[1] else seen
    return Explosion(start[0], now[0], tuple(looks), shown[1], shown[2])


def _measured(case: Case, model: nn.Module | None) -> tuple[float, tuple[float, ...], str]:
    """The growth, its curve and where it is; NaN where the net has nothing to be measured."""
    if model is None or not case.training:
        return math.nan, (), ""
    batch = _cut(case.training[-1])
    inputs = batch.inputs.transpose(0, 1) if case.batch_first else batch.inputs

    def divergence(given: object) -> Tensor:
        outputs = given[0] if isinstance(given, tuple) else given
        assert isinstance(outputs, Tensor)
        wanted = batch.targets.dim() + (0 if batch.valued else 1)
        if outputs.dim() == wanted - 1:
            outputs = outputs[None]
        elif case.batch_first:
            outputs = outputs.transpose(0, 1)
        return case.divergence(outputs, batch)

    try:
        with evaluating(model):
            flow = gradient_flow(model, (inputs,), divergence, targets=TARGETS)
        curves = {
            f"{state} of {layer.name}": tuple(flow.by_lag(number, state).nanmean(1).tolist())
            for number, layer in enumerate(flow.layers)
            for state in layer.states
        }
    except (InputError, RuntimeError, ValueError):  # no recurrent net, more than one, numbers that are not finite
        return math.nan, (), ""
    return _most(curves)


def _cut(batch: Batch) -> Batch:
    """Few rows; of a long sequence that is answered at every step its end."""
    part = batch.first_rows(ROWS)
    if batch.steps <= STEPS or len(batch.targets) != batch.steps:
        return part
    weights = None if part.weights is None else part.weights[-STEPS:]
    return Batch(part.inputs[-STEPS:], part.targets[-STEPS:], weights)


def _most(curves: dict[str, tuple[float, ...]]) -> tuple[float, tuple[float, ...], str]:
    grown = {
        name: max((value for value in curve if value == value), default=math.nan) / curve[0]
        for name, curve in curves.items()
        if curve and curve[0] > 0
    }
    if not grown:
        return math.nan, (), ""
    where = max(grown, key=lambda name: grown[name] if grown[name] == grown[name] else -1.0)
    return grown[where], curves[where], where
