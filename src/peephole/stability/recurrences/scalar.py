"""One unit that feeds itself: h(t) = f(w h(t−1) + c x + b)."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.stability.recurrences.activations import FUNCTIONS, check_scalar_activation
from peephole.stability.recurrences.arguments import Numbers, check_drive, check_number, check_numbers, check_steps
from peephole.stability.recurrences.cycles import Cycle, Portrait
from peephole.stability.recurrences.piecewise import identity_portrait, relu_portrait
from peephole.stability.recurrences.saturating import contested_drives, saturating_portrait
from peephole.stability.recurrences.settling import destination, settle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Outcome = Literal["one limit", "two limits", "cycle of two", "keeps every start", "blows up"]
COUNT = 10  # starts where none are given; even, so that none of them is the point half-way that repels
LARGEST_START = 1e300  # of those that nobody gave: their span is still a float64


@dataclass(frozen=True, eq=False)
class ScalarRecurrence:
    """What `scalar_recurrence` found of h → f(`weight` · h + `bias` + `input`).

    `trajectories` are h(0) … h(T) of each start; where they blow up they become infinite. `portrait` holds every fixed
    point, every cycle of two and, in degenerate cases, a continuum of them. For each start, `destinations` has the
    cycle it comes to (None: it leaves all bounds), `limits` the limits of its states at even and at odd steps (the same
    where it settles), and `settling` the first step from which on at most 1 % of its distance to them is left (inf:
    never, or not within 20,000 steps).
    """

    activation: str
    weight: float
    bias: float
    input: float
    trajectories: Float[Tensor, "time starts"]
    portrait: Portrait
    destinations: tuple[Cycle | None, ...]
    limits: Float[Tensor, "2 starts"]
    settling: Float[Tensor, " starts"]

    @property
    def drive(self) -> float:
        """What comes in at each step from outside: b + c x."""
        return self.bias + self.input

    @property
    def outcome(self) -> Outcome:
        """What becomes of starts, over all of them and not only those that were followed."""
        return outcome_of(self.activation, self.weight, self.drive, self.portrait)

    @property
    def contested_drives(self) -> tuple[float, float] | None:
        """Between which values of b + c x this weight has two limits, or a cycle of two; for sigmoid and tanh."""
        return contested_drives(self.activation, self.weight)

    @property
    def verdict(self) -> str:
        """One sentence."""
        from peephole.stability.recurrences.scalar_verdict import sentence

        return sentence(self)

    def plot(self, ax: "Axes") -> None:
        """Draw the trajectories over t, and the limits as lines."""
        from peephole.stability.recurrences.scalar_plot import draw_trajectories

        draw_trajectories(ax, self)

    def plot_cobweb(self, ax: "Axes") -> None:
        """Draw h(t) over h(t−1), the diagonal, the fixed points where they cross, and two orbits between them."""
        from peephole.stability.recurrences.scalar_plot import draw_cobweb

        draw_cobweb(ax, self)


def scalar_recurrence(
    activation: str,
    weight: float,
    bias: float = 0.0,
    input: float = 0.0,
    starts: Numbers | None = None,
    steps: int = 50,
) -> ScalarRecurrence:
    """Follow h(t) = f(w h(t−1) + c x + b), and find all that it can come to.

    `activation` is f: sigmoid, tanh, relu or identity. `input` is c x, the same at every step. `starts` are values of
    h(0), by default ten across [−1, 1] and a margin around every fixed point; each is followed for `steps` steps.
    Fixed points and cycles do not come from following: they are complete, and known to the last bits, except where a
    multiplier is within about 1e-10 of 1: float64 tells nothing closer apart, and they are called neutral.

    Raises `InputError` for what is no finite number, an unknown activation, no starts, or less than one step.

    >>> from peephole.stability.recurrences.scalar import scalar_recurrence
    >>> found = scalar_recurrence("tanh", 1.5)
    >>> found.outcome
    'two limits'
    >>> [round(cycle.points[0], 4) for cycle in found.portrait.cycles]
    [-0.8586, 0.0, 0.8586]
    """
    check_scalar_activation(activation)
    weight, bias, input = (
        check_number(name, one) for name, one in (("weight", weight), ("bias", bias), ("input", input))
    )
    drive = check_drive(bias, input)
    check_steps("steps", steps)
    given = None if starts is None else check_numbers("starts", starts)
    portrait = portrait_of(activation, weight, drive)
    h = _usual_starts(portrait) if given is None else given
    found = [destination(portrait, weight, drive, start) for start in h.tolist()]
    limits = torch.tensor([ends for _, *ends in found], dtype=torch.float64).T  # [2, N]

    f = FUNCTIONS[activation]

    def step(h: Tensor) -> Tensor:
        return f(weight * h + drive)

    trajectories = torch.empty(steps + 1, len(h), dtype=torch.float64)  # [T + 1, N]
    trajectories[0] = h
    for t in range(steps):
        trajectories[t + 1] = step(trajectories[t])
    return ScalarRecurrence(
        activation,
        weight,
        bias,
        input,
        trajectories,
        portrait,
        tuple(cycle for cycle, *_ in found),
        limits,
        settle(step, h, limits[0], limits[1]),
    )


def portrait_of(activation: str, weight: float, drive: float) -> Portrait:
    """Every fixed point and cycle; the arguments have been checked."""
    if activation == "identity":
        return identity_portrait(weight, drive)
    if activation == "relu":
        return relu_portrait(weight, drive)
    return saturating_portrait(activation, weight, drive)


def outcome_of(activation: str, weight: float, drive: float, portrait: Portrait) -> Outcome:
    """What becomes of starts."""
    if portrait.continuum is not None:
        return "keeps every start"
    unbounded = abs(weight) > 1 if activation == "identity" else weight > 1 if activation == "relu" else False
    if unbounded or not portrait.cycles:
        # relu with w > 1 and b + c x < 0 has a basin of 0 below its other fixed point, and no bounds above it
        return "blows up"
    if any(cycle.period == 2 for cycle in portrait.limits):
        return "cycle of two"
    return "two limits" if len(portrait.limits) > 1 else "one limit"


def _usual_starts(portrait: Portrait) -> Tensor:
    """Across [−1, 1], and half as far again beyond every cycle."""
    points = [point for cycle in portrait.cycles for point in cycle.points]
    if portrait.continuum is not None:
        points += [end for end in (portrait.continuum.low, portrait.continuum.high) if math.isfinite(end)]
    low = max(min(-1.0, 1.5 * min(points, default=0.0)), -LARGEST_START)
    high = min(max(1.0, 1.5 * max(points, default=0.0)), LARGEST_START)
    return torch.linspace(low, high, COUNT, dtype=torch.float64)
