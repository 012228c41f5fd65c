"""How far gradients flow back through a net, over stretches longer than windows, and what windows cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.doctor.measuring.inside import layers_of
from peephole.doctor.measuring.stretch import stretch
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating
from peephole.inside.trace import trace
from peephole.train.watch.numbers import horizon

STEPS, ROWS, TARGETS = 256, 4, 4
CUT_ROWS = 16  # whose gradients are compared: few rows agree by chance
WHOLE = 1024  # of sequences that begin anew the whole is wanted, whose beginning may be what has to be remembered


@dataclass(frozen=True, eq=False)
class Reach:
    """Mean ‖∂Div(t)/∂state(t − lag)‖ by lag `[lags]`, of each layer (`layer 0`) and its states h and c."""

    flow: Mapping[str, Mapping[str, Tensor]]

    @property
    def longest(self) -> int:
        """The largest lag that was looked at."""
        return max(len(curve) for by in self.flow.values() for curve in by.values()) - 1

    @cached_property
    def horizon(self) -> int | None:
        """The first lag at which no layer's flow is 1 % of that at lag 0 any more; None where one still is."""
        found = [horizon(curve) for by in self.flow.values() for curve in by.values()]
        known = [lag for lag in found if lag is not None]
        return max(known) if len(known) == len(found) else None

    @property
    def furthest(self) -> Tensor:
        """The curve that reaches furthest, relative to its own lag 0, `[lags]`."""
        curves = [curve / curve[0].clamp_min(1e-300) for by in self.flow.values() for curve in by.values()]
        reach = [len(curve) if (lag := horizon(curve)) is None else lag for curve in curves]
        return curves[max(range(len(curves)), key=reach.__getitem__)]

    def beyond(self, lag: int) -> float:
        """The share of the flow's sum over all lags that lies at `lag` and further, the largest of all layers."""
        shares = [
            float(curve[lag:].sum() / curve.sum().clamp_min(1e-300))
            for by in self.flow.values()
            for curve in by.values()
        ]
        return max(shares, default=0.0)


def reach(examination: Examination) -> Reach | None:
    """From up to four targets in the later part of the longest sequences; None where nothing can flow or be seen."""
    case = examination.case
    carried = case.streams is not None or any(batch.carry for batch in case.training)
    batch = stretch(case, STEPS if carried else WHOLE, ROWS)
    if case.model is None or batch is None:
        return None
    parameters = [each for each in case.model.parameters() if each.requires_grad]
    if not parameters:
        return None
    try:
        with evaluating(case.model):
            return _flow(case, batch, parameters)
    except (InputError, RuntimeError):  # a module may refuse what is not as long or wide as in its training
        return None


def _flow(case: Case, batch: Batch, parameters: Sequence[Tensor]) -> Reach | None:
    """A copy of the rows for each target, so that one backward carries the gradients of all of them."""
    targets = _targets(batch)
    copies, rows = len(targets), batch.rows
    repeated = replace(
        batch,
        inputs=torch.cat([batch.inputs] * copies, 1),
        resets=None if batch.resets is None else torch.cat([batch.resets] * copies, 1),
    )
    with torch.enable_grad(), trace(case.model or torch.nn.Identity()) as seen:
        outputs, _ = case.run(repeated)
        leaf = outputs.detach()[:, :rows].requires_grad_()
        (sent,) = torch.autograd.grad((case.each(leaf, batch).cpu() * batch.counts).sum(), leaf)
        seed = torch.zeros_like(outputs)
        for number, t in enumerate(targets):
            seed[t, number * rows : (number + 1) * rows] = sent[t]
        torch.autograd.grad((outputs * seed).sum(), parameters, allow_unused=True)
    flow: dict[str, dict[str, Tensor]] = {}
    for name, _, reverse, values in layers_of(seen, "d_"):
        curves = {
            key.removeprefix("d_"): _by_lag(value, targets, rows, batch.targets.shape[0] == batch.steps, reverse)
            for key, value in values.items()
            if key in ("d_h", "d_c")
        }
        curves = {key: curve for key, curve in curves.items() if bool(torch.isfinite(curve).all()) and curve[0] > 0}
        if curves:
            flow[name] = curves
    return Reach(flow) if flow else None


def _targets(batch: Batch) -> list[int]:
    """Places in the targets that count, evenly over the later half of those, the last among them."""
    counted = batch.counts.sum(1).nonzero().flatten().tolist() or [batch.targets.shape[0] - 1]
    later = counted[len(counted) // 2 :]
    places = {later[round(number * (len(later) - 1) / max(1, TARGETS - 1))] for number in range(TARGETS)}
    return sorted(places)


def _by_lag(gradient: Tensor, targets: list[int], rows: int, each_step: bool, reverse: bool) -> Tensor:
    """`[lags]` of `[T, N·B, U]`: the mean over targets and rows of the norm at each distance before the target.

    A net that answers once has its target at its last step; one that runs backwards begins at its end.
    """
    norms = gradient.double().norm(dim=-1)
    steps = norms.shape[0]
    total, count = torch.zeros(steps, dtype=torch.float64), torch.zeros(steps, dtype=torch.float64)
    for number, target in enumerate(targets):
        own = norms[:, number * rows : (number + 1) * rows].mean(1)
        entry = target if each_step else (0 if reverse else steps - 1)
        line = own[entry:] if reverse else own[: entry + 1].flip(0)
        total[: len(line)] += line
        count[: len(line)] += 1
    there = int((count > 0).sum())
    return total[:there] / count[:there]


@dataclass(frozen=True)
class Cut:
    """What windows of `window` steps leave out of a gradient: ‖whole − cut‖ / ‖whole‖ of the recurrent weights, over
    `steps` steps; Aicher, Foti & Fox 2019 call it the relative bias of truncation.
    """

    window: int
    steps: int
    bias: float


def cut_by(examination: Examination, window: int, steps: int = 128) -> Cut | None:
    """The gradient through the whole of a stretch beside that of the same stretch in windows with carried states."""
    case = examination.case
    batch = stretch(case, steps, CUT_ROWS)
    if case.model is None or batch is None or batch.steps <= window or batch.targets.shape[0] != batch.steps:
        return None
    named = {name: each for name, each in case.model.named_parameters() if each.requires_grad and "_hh" in name}
    if not named:
        return None
    try:
        with evaluating(case.model), torch.enable_grad():
            whole = _gradient(case, batch, batch.steps, list(named.values()))
            cut = _gradient(case, batch, window, list(named.values()))
    except (InputError, RuntimeError):
        return None
    size = float(torch.cat([each.flatten() for each in whole]).norm())
    missing = float(torch.cat([(one - other).flatten() for one, other in zip(whole, cut, strict=True)]).norm())
    return Cut(window, batch.steps, missing / size) if size > 0 else None


def _gradient(case: Case, batch: Batch, window: int, parameters: Sequence[Tensor]) -> list[Tensor]:
    """The gradient of the sum over all steps, whose states are cut from the graph after every `window` steps."""
    total = [torch.zeros_like(each) for each in parameters]
    states: tuple[Tensor, ...] | None = None
    for start in range(0, batch.steps, window):
        here = slice(start, start + window)
        part = Batch(
            batch.inputs[here],
            batch.targets[here],
            None if batch.weights is None else batch.weights[here],
            None if batch.resets is None else batch.resets[here],
        )
        outputs, finals = case.run(part, states)
        states = None if finals is None else tuple(each.detach() for each in finals)
        if states is None and window < batch.steps:
            raise InputError("the model returns no states to carry")
        value = (case.each(outputs, part).cpu() * part.counts).sum()
        if value.requires_grad:
            found = torch.autograd.grad(value, parameters, allow_unused=True)
            total = [one if new is None else one + new for one, new in zip(total, found, strict=True)]
    return total
