"""How many steps a start takes until only 1 % of its distance to its limit is left."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.stability.recurrences.cycles import Cycle, Portrait

LEFT = 0.01  # of the distance that a start had: what is left of it then counts as nothing
LONGEST = 20_000  # steps that are tried; tanh with w = 1 takes 15,000 from 1
BLOCK = 64  # steps between two looks at the states; even
ROUNDING = 8 * torch.finfo(torch.float64).eps


def destination(portrait: Portrait, weight: float, drive: float, start: float) -> tuple[Cycle | None, float, float]:
    """The cycle to which `start` comes, and its limits at even and at odd steps; without bounds: None, and ±inf.

    Taken from where the cycles are and from which side they attract, not from following the orbit: one that is slow to
    leave a point which repels it has not come to it.
    """
    if portrait.continuum is not None:
        even = portrait.continuum.nearest(start)
        odd = drive - even if portrait.continuum.period == 2 else even
        points = (even,) if even == odd else (min(even, odd), max(even, odd))
        return Cycle(points, weight ** len(points), False, False), even, odd
    # For w < 0 two steps make a map that never falls, as one does for w ≥ 0; it fixes every point of every cycle.
    marks = portrait.marks
    below = next((mark for mark in reversed(marks) if mark[0] <= start), None)
    above = next((mark for mark in marks if mark[0] >= start), None)
    if above is not None and (above[0] == start or above[1].attracts_below):
        even, cycle = above
    elif below is not None and below[1].attracts_above:
        even, cycle = below
    else:
        rises = below is not None if marks else drive > 0
        even = math.inf if rises else -math.inf
        return None, even, -even if weight < 0 else even
    return cycle, even, cycle.points[1 - cycle.points.index(even)] if cycle.period == 2 else even


def settle(
    step: Callable[[Tensor], Tensor],
    starts: Float[Tensor, "*shape"],
    even: Float[Tensor, "*shape"],
    odd: Float[Tensor, "*shape"],
    longest: int = LONGEST,
) -> Float[Tensor, "*shape"]:
    """The first t from which on |h(t) − limit| ≤ 1 % of |h(0) − limit|; inf where that takes more than `longest`.

    `even` and `odd` are the limits of the states at even and at odd steps. Each of the two comes nearer to its limit
    with every round, so that two steps in a row within 1 % are within it for good. A start at its limit takes 0.
    """
    # A distance that no float64 near the limit can show counts as none.
    enough = torch.maximum(LEFT * (starts - even).abs(), ROUNDING * torch.maximum(even.abs(), odd.abs()))
    bounded = even.isfinite()
    found = torch.full_like(starts, math.inf)
    limits = torch.stack((even, odd)).repeat(BLOCK // 2 + 1, *(1 for _ in starts.shape))  # [BLOCK + 2, *shape]
    states = torch.empty_like(limits)
    states[-2] = starts
    for first in range(0, longest + 1, BLOCK):
        states[0] = states[-2]
        for t in range(BLOCK + 1):
            states[t + 1] = step(states[t])
        near = (states - limits).abs() <= enough
        both = near[:-1] & near[1:] & bounded  # [BLOCK + 1, *shape]
        reached = first + both.to(torch.int8).argmax(0)
        found = torch.where(both.any(0) & found.isinf() & (reached <= longest), reached, found)
        if not (found.isinf() & bounded).any():
            break
    return found
