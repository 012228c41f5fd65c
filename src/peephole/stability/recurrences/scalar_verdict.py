"""What a scalar recurrence does, in one sentence."""

import math
from typing import TYPE_CHECKING

from peephole.stability.recurrences.cycles import Cycle
from peephole.stability.recurrences.settling import LONGEST

if TYPE_CHECKING:
    from peephole.stability.recurrences.scalar import ScalarRecurrence


def sentence(found: "ScalarRecurrence") -> str:
    """Outcome, limits, steps and rate."""
    return f"{naming(found.activation, found.weight, found.drive)} {_OUTCOMES[found.outcome](found)}."


def naming(activation: str, weight: float, drive: float) -> str:
    """The recurrence in words: what acts, and the numbers of it."""
    return f"{activation} with w = {weight:.6g}" + (f" and b + c x = {drive:.6g}" if drive else "")


def _one_limit(found: "ScalarRecurrence") -> str:
    (limit,) = found.portrait.limits
    return f"forgets its start: every one ends at h = {limit.points[0]:.4g}, {_pace(found, limit)}"


def _two_limits(found: "ScalarRecurrence") -> str:
    low, high = found.portrait.limits
    (border,) = (
        cycle.points[0] for cycle in found.portrait.cycles if not (cycle.attracts_below and cycle.attracts_above)
    )
    return (
        f"keeps two limits apart: starts below h = {border:.4g} end at {low.points[0]:.4g}, those above at "
        f"{high.points[0]:.4g}, {_pace(found, max(low, high, key=lambda cycle: cycle.rate))}"
    )


def _cycle_of_two(found: "ScalarRecurrence") -> str:
    (limit,) = found.portrait.limits
    low, high = limit.points
    (centre,) = (cycle.points[0] for cycle in found.portrait.cycles if cycle.period == 1)
    return (
        f"does not settle: every start but h = {centre:.4g} ends in the cycle of two {low:.4g}, {high:.4g}, "
        f"{_pace(found, limit)}"
    )


def _keeps_every_start(found: "ScalarRecurrence") -> str:
    continuum = found.portrait.continuum
    assert continuum is not None
    which, rest = "every start", ""
    if math.isfinite(continuum.low):
        bounds = f"[{continuum.low:.4g}, {continuum.high:.4g}]" if math.isfinite(continuum.high) else "h ≥ 0"
        which, rest = f"every start in {bounds}", ", and the others come to its edge"
    if continuum.period == 1:
        return f"keeps {which} for ever, as a fixed point of multiplier 1{rest}"
    return f"keeps {which} for ever, on a cycle of two of its own: h and {found.drive:.4g} − h{rest}"


def _blows_up(found: "ScalarRecurrence") -> str:
    if found.weight == 1:
        return f"grows without bounds, by {abs(found.drive):.4g} a step in the end, from every start"
    growth = f"by a factor of {abs(found.weight):.4g} a step in the end"
    points = [cycle.points[0] for cycle in found.portrait.cycles]
    if not points:
        return f"blows up, {growth}, from every start"
    if found.activation == "relu":
        return f"blows up, {growth}, from starts above h = {points[-1]:.4g}; those below end at 0"
    return f"blows up, {growth}, from every start but h = {points[0]:.4g}"


def _pace(found: "ScalarRecurrence", limit: Cycle) -> str:
    """How soon starts come near their limits, and how fast in the end."""
    coming = [int(steps) for steps in found.settling.tolist() if not math.isinf(steps)]
    count = found.settling.numel()
    if not coming:
        soon = f"none of {count} starts is down to 1 % of its distance in {LONGEST:,} steps"
    elif len(coming) < count:
        soon = (
            f"{len(coming)} of {count} starts have 1 % of their distance left after at most {counted(max(coming))}, "
            f"the others after more than {LONGEST:,}"
        )
    else:
        soon = f"each of {count} starts has 1 % of its distance left after at most {counted(max(coming))}"
    if limit.kind == "neutral":
        return f"{soon}; the multiplier is {limit.multiplier:g}, so that distances shrink as a power of t"
    if not limit.rate:
        return f"{soon}; in the end one round leaves nothing"
    return f"{soon}; in the end a step leaves {limit.rate:.4g} of it (half-life {limit.half_life:.3g} steps)"


def counted(steps: int) -> str:
    """A number of steps in words."""
    return f"{steps:,} step" + ("" if steps == 1 else "s")


_OUTCOMES = {
    "one limit": _one_limit,
    "two limits": _two_limits,
    "cycle of two": _cycle_of_two,
    "keeps every start": _keeps_every_start,
    "blows up": _blows_up,
}
