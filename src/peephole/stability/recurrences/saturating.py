"""Every fixed point and cycle of h → f(w h + d) for sigmoid and tanh.

In z = w h + d the map is z → w f(z) + d. The gap w f(z) + d − z turns where w f'(z) = 1, which has a closed form, so
that the line falls into at most three pieces on each of which the gap rises or falls, and bisection finds its only root
there. For w < 0 there is one fixed point. tanh and sigmoid have a negative Schwarzian derivative, and then of three
neighbouring fixed points of a rising map, here of two steps, the middle one repels (D. Singer, Stable orbits and
bifurcation of maps of the interval, SIAM J. Appl. Math. 35, 1978): two steps have at most three fixed points, and the
cycle of two exists exactly where the fixed point's multiplier is below −1.
"""

import math
import sys
from collections.abc import Callable

from peephole.stability.recurrences.cycles import Cycle, Portrait

STEEPEST = {"sigmoid": 0.25, "tanh": 1.0}  # f'(0)
LOWEST = {"sigmoid": 0.0, "tanh": -1.0}
NEUTRAL = 1e-10  # how far from 1 a multiplier is called 1: where the gap is that flat, float64 places roots no better


def value(activation: str, z: float) -> float:
    """f(z)."""
    if activation == "tanh":
        return math.tanh(z)
    left = math.exp(-abs(z))
    return 1 / (1 + left) if z >= 0 else left / (1 + left)


def slope_at(activation: str, z: float) -> float:
    """f'(z)."""
    scale = 2.0 if activation == "tanh" else 1.0
    left = math.exp(-scale * abs(z))
    return scale**2 * left / (1 + left) ** 2


def pull(activation: str, weight: float, drive: float, z: float) -> tuple[float, float]:
    """Two summands of w f(z) + d. Where f is nearly flat: what its end would give, and what f lacks to its end.

    f itself rounds to its end there, and a large weight would make that rounding larger than z.
    """
    if abs(z) <= 1:
        return drive, weight * value(activation, z)
    scale = 2.0 if activation == "tanh" else 1.0
    left = math.exp(-scale * abs(z))
    lacks = scale * left / (1 + left)
    return (drive + weight, -weight * lacks) if z > 0 else (drive + weight * LOWEST[activation], weight * lacks)


def turn(activation: str, weight: float) -> float:
    """The z ≥ 0 with |w| f'(z) = 1; for |w| f'(0) ≥ 1. The other one is −z, since f' is even."""
    excess = max(abs(weight) * STEEPEST[activation] - 1, 0.0)
    return math.asinh(math.sqrt(excess)) * (1.0 if activation == "tanh" else 2.0)


def contested_drives(activation: str, weight: float) -> tuple[float, float] | None:
    """The open interval of d = b + c x for which one limit is not the answer; None where it always is.

    For w f'(0) > 1 there are two limits in it, for w f'(0) < −1 a cycle of two. Its ends are z − w f(z) at the z with
    |w| f'(z) = 1: there the fixed point's multiplier is 1 or −1. Its middle is −w f(0).
    """
    if activation not in STEEPEST or abs(weight) * STEEPEST[activation] <= 1:
        return None
    z = turn(activation, weight)
    low, high = sorted(at - sum(pull(activation, weight, 0.0, at)) for at in (-z, z))
    return low, high


def saturating_portrait(activation: str, weight: float, drive: float) -> Portrait:
    """All fixed points, and the cycle of two if there is one."""

    def gap(z: float) -> float:
        return sum(pull(activation, weight, drive, z)) - z

    def fixed(z: float, below: bool, above: bool, multiplier: float | None = None) -> Cycle:
        found = weight * slope_at(activation, z) if multiplier is None else multiplier
        if abs(abs(found) - 1) <= NEUTRAL:
            found = math.copysign(1.0, found)
        return Cycle((value(activation, z) + 0.0,), found, below, above)  # no −0

    ends = (drive + weight * LOWEST[activation], drive + weight)
    low, high = _finite(min(ends)), _finite(max(ends))
    if weight * STEEPEST[activation] < 1:
        z = _root(gap, low, high)
        point = fixed(z, True, True)
        if point.multiplier >= -1:
            return Portrait((point,))
        return Portrait((fixed(z, False, False), _cycle_of_two(activation, weight, drive, z, high)))

    z = turn(activation, weight)
    low, high = min(low, -z), max(high, z)
    match tuple(_side(*pull(activation, weight, drive, at), at) for at in (-z, z)):
        case 0, 0:  # a triple root, or three that float64 cannot tell apart: the point where they meet
            return Portrait((fixed(0.0, True, True, 1.0),))
        case 0, _:
            return Portrait((fixed(-z, True, False, 1.0), fixed(_root(gap, z, high), True, True)))
        case _, 0:
            return Portrait((fixed(_root(gap, low, -z), True, True), fixed(z, False, True, 1.0)))
        case -1, 1:
            middle = fixed(_root(lambda z: -gap(z), -z, z), False, False)
            lowest, highest = fixed(_root(gap, low, -z), True, True), fixed(_root(gap, z, high), True, True)
            return Portrait((lowest, middle, highest))
        case 1, _:
            return Portrait((fixed(_root(gap, z, high), True, True),))
    return Portrait((fixed(_root(gap, low, -z), True, True),))


def _cycle_of_two(activation: str, weight: float, drive: float, fixed: float, high: float) -> Cycle:
    """The cycle around the repelling fixed point, by the only other root of two steps above it; all in z."""

    def step(z: float) -> float:
        return sum(pull(activation, weight, drive, z))

    above = _root(lambda z: step(step(z)) - z, fixed, high)
    below = step(above)
    multiplier = weight * slope_at(activation, below) * (weight * slope_at(activation, above))
    return Cycle((value(activation, below), value(activation, above)), multiplier, True, True)


def _side(one: float, other: float, z: float) -> int:
    """The sign of one + other − z; 0 where it is no more than the rounding of what it is the sum of."""
    one = _finite(one)
    found = one + other - z
    rounding = sum(4 * sys.float_info.epsilon * abs(summand) for summand in (one, other, z))
    return 0 if abs(found) <= rounding else 1 if found > 0 else -1


def _root(gap: Callable[[float], float], low: float, high: float) -> float:
    """Where `gap`, positive at `low` and negative at `high`, changes sign, to the last bit."""
    while low < (middle := low / 2 + high / 2) < high:
        found = gap(middle)
        if found == 0:
            return middle
        low, high = (middle, high) if found > 0 else (low, middle)
    return min(low, high, key=lambda z: abs(gap(z)))


def _finite(z: float) -> float:
    return min(max(z, -sys.float_info.max), sys.float_info.max)
