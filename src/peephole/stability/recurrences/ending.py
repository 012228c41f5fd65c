"""What several trajectories are doing at their end: settled, on a cycle, still moving, or out of bounds."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

STILL = 1e-6  # of the size of the states: two that differ by less in every unit are one
SAME = 1e-3  # of it: ends that differ by less are one limit, since slow ones are still on their way to it
LONGEST_CYCLE = 64
GROWTH = 1.25  # of the largest state, from the second quarter of the steps to the last


@dataclass(frozen=True, eq=False)
class Ending:
    """For each start its `periods` entry, 1 where it is settled and None where it moves on without repeating itself,
    and its `limit_of`, the place in `limits` of what it came to. A limit is the states of one round, `[period, H]`.

    Settled, or on a cycle of p steps: over the last eighth of the steps, and at least one round, no unit differed by
    more than 1e-6 (of the largest state) from what it was p steps before. `blows_up`: states left float64, or the
    largest of them grows from the second quarter of the steps to the last without slowing down.
    """

    periods: tuple[int | None, ...]
    limit_of: tuple[int | None, ...]
    limits: tuple[Float[Tensor, "_ hidden"], ...]
    blows_up: bool
    growth: float

    @property
    def moving(self) -> int:
        """How many starts are still moving."""
        return self.periods.count(None)


def find_ending(trajectories: Float[Tensor, "time starts hidden"]) -> Ending:
    """Look at the last steps of each trajectory."""
    blows_up, growth = _growth(trajectories)
    count = trajectories.shape[1]
    if blows_up:
        return Ending((None,) * count, (None,) * count, (), True, growth)
    scale = max(trajectories[0].abs().max().item(), trajectories[-1].abs().max().item())
    periods = _periods(trajectories, STILL * scale)
    limits: list[Tensor] = []
    limit_of: list[int | None] = []
    for start, period in enumerate(periods):
        if period is None:
            limit_of.append(None)
            continue
        final = trajectories[-1, start]
        # Two starts may be on one cycle at different places of it.
        known = (
            place
            for place, limit in enumerate(limits)
            if len(limit) == period and (limit - final).abs().amax(1).min() <= SAME * scale
        )
        place = next(known, len(limits))
        if place == len(limits):
            limits.append(trajectories[-period:, start].clone())
        limit_of.append(place)
    return Ending(tuple(periods), tuple(limit_of), tuple(limits), False, growth)


def _periods(trajectories: Tensor, tolerance: float) -> list[int | None]:
    """The shortest period of each start, or None."""
    last = len(trajectories) - 1
    found: list[int | None] = [None] * trajectories.shape[1]
    for period in range(1, LONGEST_CYCLE + 1):
        window = max(last // 8, period)
        if window + period > last + 1:
            break
        moved = trajectories[-window:] - trajectories[-window - period : -period]
        for start in (moved.abs().amax((0, 2)) <= tolerance).nonzero()[:, 0].tolist():
            if found[start] is None:
                found[start] = period
    return found


def _growth(trajectories: Tensor) -> tuple[bool, float]:
    """Whether states leave all bounds, and what a step multiplies the largest by, over the second half.

    Slow approach to a large limit grows too, but ever more slowly; steps of equal or growing length end nowhere.
    """
    largest = trajectories.abs().amax((1, 2))  # [T + 1]
    finite = int(largest.isfinite().sum())
    quarter = (finite - 1) // 4
    if quarter < 1:
        return finite < len(largest), torch.inf
    early, late = slice(quarter, 2 * quarter + 1), slice(finite - 1 - quarter, finite)
    growth = largest[late].max() / largest[early].max()
    moved = (trajectories[1:finite] - trajectories[: finite - 1]).abs().amax((1, 2))  # [T]
    early, late = slice(quarter, 2 * quarter), slice(finite - 1 - quarter, finite - 1)
    unslowed = moved[late].max() >= (1 - STILL) * moved[early].max()
    steps = finite - 1 - 2 * quarter
    rate = growth.item() ** (1 / steps)
    return finite < len(largest) or (growth.item() >= GROWTH and bool(unslowed)), rate
