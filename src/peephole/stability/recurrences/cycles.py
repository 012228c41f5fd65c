"""Where h → f(w h + d) can come to rest: fixed points and cycles of two, isolated or in a continuum.

No other periods exist. f never falls, so that for w ≥ 0 the map does not either, and every orbit climbs or descends
without turning: to a fixed point, or out of all bounds. For w < 0 the map never rises, but two steps of it never fall,
so that every second state goes to a fixed point of two steps, which is a fixed point of one or half of a cycle of two.
"""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Cycle:
    """A fixed point, or a cycle of two.

    `points` are visited in turn, the lowest first. `multiplier` is the derivative of one round, the product of w f'(z)
    over the points: near the cycle a round multiplies the distance to it by that. Where it is 1 or −1 (neutral),
    distances shrink as a power of t, or not at all. At relu's kink, where the sides differ, it is the derivative from
    above for w ≥ 0, and 0 for w < 0, since two steps lead onto the point.

    `attracts_below` and `attracts_above` say whether nearby starts on that side come to it.
    """

    points: tuple[float, ...]
    multiplier: float
    attracts_below: bool
    attracts_above: bool

    @property
    def period(self) -> int:
        """Steps of one round: 1 or 2."""
        return len(self.points)

    @property
    def kind(self) -> Literal["attracting", "repelling", "neutral"]:
        """By the size of the multiplier: less than 1, more, or 1."""
        size = abs(self.multiplier)
        return "neutral" if size == 1 else "attracting" if size < 1 else "repelling"

    @property
    def attracts(self) -> str:
        """From where starts come to it, in words."""
        match self.attracts_below, self.attracts_above:
            case True, True:
                return "from both sides"
            case True, False:
                return "from below"
            case False, True:
                return "from above"
        return "nothing"

    @property
    def rate(self) -> float:
        """What one step multiplies a small distance by, in the end."""
        return abs(self.multiplier) ** (1 / self.period)

    @property
    def half_life(self) -> float:
        """Steps that halve a small distance, in the end; 0 where one step removes it, inf where none do."""
        if self.rate >= 1:
            return math.inf
        return math.log(0.5) / math.log(self.rate) if self.rate else 0.0


@dataclass(frozen=True)
class Continuum:
    """Every h from `low` to `high` is a fixed point (`period` 1), or on the cycle of two of h and d − h."""

    period: int
    low: float
    high: float

    def nearest(self, start: float) -> float:
        """Where `start` is at every second step, from some step on."""
        return min(max(start, self.low), self.high)


@dataclass(frozen=True)
class Portrait:
    """All that orbits can come to: isolated `cycles`, fixed points upwards and then the cycle of two; a `continuum`."""

    cycles: tuple[Cycle, ...]
    continuum: Continuum | None = None

    @property
    def marks(self) -> tuple[tuple[float, Cycle], ...]:
        """Each point with its cycle, upwards. A cycle of two lies around the only fixed point.

        In this order even where float64 cannot tell two points apart.
        """
        fixed = [(cycle.points[0], cycle) for cycle in self.cycles if cycle.period == 1]
        pairs = [cycle for cycle in self.cycles if cycle.period == 2]
        low, high = ([(cycle.points[side], cycle) for cycle in pairs] for side in (0, 1))
        return (*low, *fixed, *high)

    @property
    def limits(self) -> tuple[Cycle, ...]:
        """The isolated cycles to which whole intervals of starts come."""
        return tuple(cycle for cycle in self.cycles if cycle.attracts_below or cycle.attracts_above)
