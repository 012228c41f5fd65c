"""Every fixed point and cycle of h → f(w h + d) for relu and the identity, in closed form."""

import math

from peephole.errors import InputError
from peephole.stability.recurrences.cycles import Continuum, Cycle, Portrait


def identity_portrait(weight: float, drive: float) -> Portrait:
    """h → w h + d: one fixed point d / (1 − w), except at w = 1."""
    if weight == 1:
        return Portrait((), None if drive else Continuum(1, -math.inf, math.inf))
    settles = abs(weight) < 1
    point = Cycle((_fixed_point(weight, drive),), weight, settles, settles)
    return Portrait((point,), Continuum(2, -math.inf, math.inf) if weight == -1 else None)


def relu_portrait(weight: float, drive: float) -> Portrait:
    """h → max(0, w h + d): below the kink everything lands on 0, above it the map is the identity's."""
    at_zero = Cycle((0.0,), 0.0, True, True)
    if weight < 0:
        return _falling_relu(weight, drive)
    if drive < 0 and weight > 1:  # 0 for starts below d / (1 − w), and no bounds for those above
        return Portrait((at_zero, Cycle((_fixed_point(weight, drive),), weight, False, False)))
    if drive < 0:
        return Portrait((at_zero,))
    if weight > 1:
        return Portrait(() if drive else (Cycle((0.0,), weight, True, False),))
    if weight == 1:
        return Portrait((), None if drive else Continuum(1, 0.0, math.inf))
    return Portrait((Cycle((_fixed_point(weight, drive),), weight, True, True),))


def _falling_relu(weight: float, drive: float) -> Portrait:
    """w < 0. Bounded for every w: what a step makes large and positive, the next one cuts to 0."""
    if drive <= 0:
        return Portrait((Cycle((0.0,), 0.0, True, True),))
    settles = weight > -1
    point = Cycle((_fixed_point(weight, drive),), weight, settles, settles)
    if weight == -1:
        return Portrait((point,), Continuum(2, 0.0, drive))
    if settles:
        return Portrait((point,))
    return Portrait((point, Cycle((0.0, drive), 0.0, True, True)))  # 0 → d → max(0, (w + 1) d) = 0


def _fixed_point(weight: float, drive: float) -> float:
    found = drive / (1 - weight) + 0.0  # no −0
    if math.isinf(found):
        raise InputError(
            f"with weight {weight} and b + c x = {drive} the fixed point (b + c x) / (1 − w) lies beyond float64; "
            "expected a weight further from 1, or a smaller bias and input"
        )
    return found
