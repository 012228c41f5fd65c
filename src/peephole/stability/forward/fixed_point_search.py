"""Points where a layer under a constant input stands still, or nearly: minima of ½‖F(s) − s‖², from many starts."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.spec import BUILT_IN, CellSpec
from peephole.stability.recordings.passage import Passage, travel
from peephole.stability.steps import linearise

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}  # a few units of rounding
ENTRIES = 2**24  # of the Jacobians that are held at once
DAMPING = 1e-2  # at first: between Newton's step and the gradient's, both being of order 1
EASED, RAISED = 0.2, 5.0  # what becomes of the damping after a step that was good, or bad
WILD = 1e6  # a state that large is on its way to infinity
STUCK = 1e8  # with so much damping no step is left


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer and direction as a map of its state, all states side by side `[P, S]`, under one input `[I]`."""

    passage: Passage  # whose weights and cell these are
    input: Tensor

    @property
    def size(self) -> int:
        """S."""
        return sum(self.passage.sizes)

    def step(self, states: Float[Tensor, "points states"]) -> Float[Tensor, "points states"]:
        """F(s)."""
        return torch.cat([state[0] for state in self._travel(states).after], dim=-1)

    def jacobians(self, states: Float[Tensor, "points states"]) -> Float[Tensor, "points states states"]:
        """∂F/∂s, the points in place of a batch."""
        return linearise(self._travel(states)).jacobian(0)

    def _travel(self, states: Tensor) -> Passage:
        known = self.passage
        x = self.input.expand(1, len(states), -1)
        parts = states.split(known.sizes, dim=-1)
        return travel(known.spec, known.layer, False, known.weights, x, parts, zoneout=known.zoneout)


def random_starts(layer: Layer, count: int, generator: torch.Generator) -> Float[Tensor, "starts states"]:
    """Where a state may be: uniform over what its activation can return; where that has no bounds, normal on scales
    from 0.1 to 10, and to 1 for a cell of one's own, whose bounds are not known.
    """
    spec, parts = layer.passage.spec, []
    largest = 1 if spec.family in BUILT_IN else 0
    scale = 10 ** ((1 + largest) * torch.rand(count, 1, generator=generator) - 1)
    for name, size in zip(spec.states, layer.passage.sizes, strict=True):
        low, high = _range(spec, name)
        if high > low:
            parts.append(low + (high - low) * torch.rand(count, size, generator=generator))
        else:
            parts.append(scale * torch.randn(count, size, generator=generator))
    return torch.cat(parts, dim=-1).to(layer.input)


def _range(spec: CellSpec, state: str) -> tuple[float, float]:
    """The bounds of a state, both 0 where it has none."""
    if spec.family == "gru" or (spec.family == "lstm" and state == "h" and spec.output_activation):
        return -1.0, 1.0
    if spec.family == "lstm":
        return (0.0, 1.0) if state in spec.sigmoid_gates else (0.0, 0.0)
    if spec.family == "rnn" and spec.residual == "none":
        return {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0)}.get(spec.nonlinearity, (0.0, 0.0))
    return 0.0, 0.0


def walk(layer: Layer, states: Float[Tensor, "points states"], steps: int) -> Float[Tensor, "points states"]:
    """Where the layer itself takes each state; those that leave all bounds stay where they were."""
    x = layer.input.expand(steps, len(states), -1)
    known = layer.passage
    parts = states.split(known.sizes, dim=-1)
    after = travel(known.spec, known.layer, False, known.weights, x, parts, zoneout=known.zoneout).after
    ended = torch.cat([state[-1] for state in after], dim=-1)
    bounded = ended.isfinite().all(-1, keepdim=True) & (ended.abs().amax(-1, keepdim=True) < WILD)
    return torch.where(bounded, ended, states)


def speeds(layer: Layer, states: Float[Tensor, "points states"]) -> Float[Tensor, "points"]:
    """How far a step moves each point, root mean square over its units."""
    return (layer.step(states) - states).square().mean(-1).sqrt()


def rounding(states: Float[Tensor, "points states"]) -> Float[Tensor, "points"]:
    """The speed of a point that stands still, as far as the precision tells."""
    return TOLERANCE[states.dtype] * states.square().mean(-1).sqrt().clamp_min(1.0)


@torch.no_grad()
def seek(layer: Layer, starts: Float[Tensor, "starts states"], iterations: int) -> Float[Tensor, "starts states"]:
    """Each start led downhill on ½‖F(s) − s‖² by Levenberg–Marquardt steps with the closed Jacobian, each with its own
    damping, until it stands still or can get no lower.
    """
    together = max(1, ENTRIES // layer.size**2)
    return torch.cat([_seek(layer, part, iterations) for part in starts.split(together)])


def _seek(layer: Layer, starts: Tensor, iterations: int) -> Tensor:
    found = starts.clone()
    damping = torch.full_like(found[:, 0], DAMPING)
    eye = torch.eye(layer.size, dtype=found.dtype, device=found.device)
    active = torch.arange(len(found), device=found.device)
    for _ in range(iterations):
        states = found[active]
        residuals = layer.step(states) - states  # [P, S]
        moving = residuals.square().mean(-1).sqrt() > rounding(states)
        going = moving & (damping[active] < STUCK)
        active, states, residuals = active[going], states[going], residuals[going]
        if not len(active):
            break
        slopes = layer.jacobians(states) - eye  # of the residuals
        normal = slopes.mT @ slopes + damping[active, None, None] * eye
        factor, failed = torch.linalg.cholesky_ex(normal)
        downhill = -torch.cholesky_solve(slopes.mT @ residuals[..., None], factor)[..., 0]
        tried = states + downhill
        after = layer.step(tried) - tried
        # A step that is not finite is not better.
        better = (after.square().sum(-1) < residuals.square().sum(-1)) & (failed == 0)
        found[active] = torch.where(better[:, None], tried, states)
        damping[active] *= torch.where(better, EASED, RAISED).to(damping)
    return found


def distinct(states: Float[Tensor, "points states"], apart: float) -> tuple[list[int], list[int]]:
    """Which points differ from all before them by at least `apart`, root mean square over the units and relative to
    theirs where that is over 1; and how many are like each.
    """
    kept: list[int] = []
    counts: list[int] = []
    for place, state in enumerate(states):
        if kept:
            known = states[kept]
            size = known.square().mean(-1).sqrt().clamp_min(1.0)
            distance = (known - state).square().mean(-1).sqrt() / size
            nearest = int(distance.argmin())
            if float(distance[nearest]) < apart:
                counts[nearest] += 1
                continue
        kept.append(place)
        counts.append(1)
    return kept, counts
