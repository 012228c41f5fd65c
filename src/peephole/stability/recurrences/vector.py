"""A layer that feeds itself: h(t) = f(W h(t−1) + C x + b)."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.errors import InputError
from peephole.stability.recurrences.activations import activate, check_vector_activation, slope
from peephole.stability.recurrences.arguments import Numbers, check_matrix, check_states, check_steps, check_vector
from peephole.stability.recurrences.ending import Ending, find_ending
from peephole.stability.recurrences.settling import LEFT
from peephole.stability.recurrences.start_left import what_is_left

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLAT = 0.01  # a unit whose slope is below this passes nothing on
FLOOR = 1e-12  # of relative distances: what is smaller is rounding
MOST_STARTS = 1000  # half a million pairs


@dataclass(frozen=True, eq=False)
class VectorRecurrence:
    """What `vector_recurrence` found of h → f(W h + C x + b).

    `trajectories` are h(0) … h(T) of each start; all units of one are inf from the step at which one of them left
    float64. `distances` are the Euclidean ones between every two starts, relative to what they were at t = 0, and inf
    where their square leaves float64. `left` holds the singular values of ∂h(t)/∂h(0) along the first start's
    trajectory, descending, at the steps `left_at`; those below 1e-16 of the largest are rounding. `ending` says what
    the states are doing at the end. `saturated` is the share of units, over all starts, with |f'| < 0.01 at the last
    step; of softmax, ∂y/∂z of a unit with itself.
    """

    activation: str
    trajectories: Float[Tensor, "time starts hidden"]
    distances: Float[Tensor, "time pairs"]
    left_at: tuple[int, ...]
    left: Float[Tensor, "looks hidden"]
    ending: Ending
    saturated: float

    @property
    def steps(self) -> int:
        """T: how many steps were followed."""
        return len(self.trajectories) - 1

    @property
    def forgotten_after(self) -> int | None:
        """The first step from which on no two starts are further apart than 1 % of what they were; None if never."""
        apart = (self.distances.amax(1) > LEFT).nonzero()
        last = int(apart[-1])
        return None if last == self.steps else last + 1

    @property
    def rate(self) -> float:
        """What a step multiplies distances by, on average until they are 1e-12 of what they were or the steps end.

        Of their root mean square over pairs: exp(ln(d(n) / d(0)) / n). 0 where one step removes them.
        """
        typical = self.distances.square().mean(1).sqrt()
        seen = ((typical < FLOOR) | ~typical.isfinite()).nonzero()
        last = int(seen[0]) - 1 if len(seen) else self.steps
        if not last:
            return 0.0 if typical[1] < FLOOR else math.inf
        return typical[last].item() ** (1 / last)

    @property
    def verdict(self) -> str:
        """One sentence."""
        from peephole.stability.recurrences.vector_verdict import sentence

        return sentence(self)

    def plot(self, ax: "Axes") -> None:
        """Draw distances between starts, and the largest singular value of ∂h(t)/∂h(0), over t."""
        from peephole.stability.recurrences.vector_plot import draw_forgetting

        draw_forgetting(ax, self)

    def plot_states(self, ax: "Axes") -> None:
        """Draw the states of every start along the two directions in which they vary most."""
        from peephole.stability.recurrences.vector_plot import draw_states

        draw_states(ax, self)


def vector_recurrence(
    weight: Numbers,
    activation: str = "tanh",
    bias: Numbers | None = None,
    input: Numbers | None = None,
    starts: int | Numbers = 32,
    steps: int = 200,
    seed: int = 0,
) -> VectorRecurrence:
    """Follow h(t) = f(W h(t−1) + C x + b) from several starts: do they become the same, and what do they come to?

    `weight` is W `[H, H]`; `activation` is f: sigmoid, tanh, relu, identity or softmax. `bias` and `input`, which is
    C x and the same at every step, are `[H]`. `starts` are states `[N, H]`, N ≥ 2 and all different, or how many to
    draw with `seed`, uniformly from what f can return: [0, 1] for sigmoid and, of what it can, relu; [−1, 1] for tanh
    and the identity; distributions for softmax. Everything in float64.

    The Jacobian of a step is diag(f') W, of softmax (diag(y) − y yᵀ) W, and ∂h(t)/∂h(0) their product with later steps
    on the left. That costs H³ a step, which is a minute for a thousand units and 200 steps.

    Raises `InputError` for matrices that are not square, sizes that do not fit, values that are not finite, an unknown
    activation, fewer than two different starts, or less than one step.

    >>> import torch
    >>> from peephole.stability.recurrences.vector import vector_recurrence
    >>> found = vector_recurrence(0.5 * torch.eye(3), "identity")
    >>> found.forgotten_after, round(found.rate, 6)
    (7, 0.5)
    """
    check_vector_activation(activation)
    w = check_matrix("weight", weight)
    size = len(w)
    drive = torch.zeros(size, dtype=torch.float64)
    for name, given in (("bias", bias), ("input", input)):
        if given is not None:
            drive = drive + check_vector(name, given, size)
    check_steps("steps", steps)
    h = _draw(activation, starts, size, seed) if isinstance(starts, int) else _check_starts(starts, size)
    trajectories = torch.empty(steps + 1, *h.shape, dtype=torch.float64)  # [T + 1, N, H]
    trajectories[0] = h
    for t in range(steps):
        h = activate(activation, h @ w.T + drive)
        trajectories[t + 1] = torch.where(h.isfinite().all(-1, keepdim=True), h, math.inf)
        h = trajectories[t + 1]
    apart = torch.stack([torch.pdist(states) for states in trajectories])  # [T + 1, pairs]
    left_at, left = what_is_left(activation, w, drive, trajectories[:, 0])
    flat = slope(activation, trajectories[-2] @ w.T + drive).abs() < FLAT
    return VectorRecurrence(
        activation,
        trajectories,
        (apart / apart[0]).nan_to_num(nan=math.inf, posinf=math.inf),  # inf − inf
        left_at,
        left,
        find_ending(trajectories),
        flat.double().mean().item(),
    )


def _draw(activation: str, count: int, size: int, seed: int) -> Float[Tensor, "starts hidden"]:
    if isinstance(count, bool) or not 2 <= count <= MOST_STARTS:
        raise InputError(f"starts is {count}; expected 2 to {MOST_STARTS:,}, since memory is what tells them apart")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed!r}; expected a whole number from 0 to 2^63 − 1")
    uniform = torch.rand(count, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    if activation == "softmax":
        if size == 1:
            raise InputError("softmax of one unit is always 1; expected a matrix of at least 2 × 2")
        return torch.log(uniform) / torch.log(uniform).sum(-1, keepdim=True)  # exponential variables over their sum
    return 2 * uniform - 1 if activation in ("tanh", "identity") else uniform


def _check_starts(given: Numbers, size: int) -> Float[Tensor, "starts hidden"]:
    found = check_states("starts", given, size)
    if not 2 <= len(found) <= MOST_STARTS:
        raise InputError(f"{len(found)} starts; expected 2 to {MOST_STARTS:,}, since memory is what tells them apart")
    apart = torch.pdist(found)
    if not bool(apart.all()):
        raise InputError("two of the starts are the same; expected different ones, which memory could tell apart")
    if not bool(apart.isfinite().all()):
        raise InputError("two of the starts are too far apart for float64; expected distances whose square is finite")
    return found
