"""What a vector recurrence does, in one sentence."""

from typing import TYPE_CHECKING

from peephole.stability.recurrences.scalar_verdict import counted

if TYPE_CHECKING:
    from peephole.stability.recurrences.vector import VectorRecurrence


def sentence(found: "VectorRecurrence") -> str:
    """Outcome, pace, and what is left of the start."""
    units = found.trajectories.shape[2]
    return f"{found.activation} of {units} unit{'' if units == 1 else 's'} {_outcome(found)}."


def _outcome(found: "VectorRecurrence") -> str:
    ending, count = found.ending, found.trajectories.shape[1]
    if ending.blows_up:
        largest = found.trajectories.abs().amax((1, 2))
        finite = largest[largest.isfinite()]
        end = f"reaches {finite[-1].item():.3g} after {counted(len(finite) - 1)}"
        if len(finite) <= found.steps:
            end += " and leaves float64 in the next"
        return (
            f"blows up: from at most {largest[0].item():.3g} the largest state {end}, "
            f"by a factor of {ending.growth:.4g} a step on average over the second half"
        )
    rest = f"{_left(found)}{_saturation(found)}"
    if found.forgotten_after is not None:
        then = f", though {ending.moving} of {count} states keep moving" if ending.moving else ""
        return (
            f"forgets its start in {counted(found.forgotten_after)}: no two of {count} starts are then further apart "
            f"than 1 % of what they were, a step leaves {found.rate:.4g} of a distance{then}{rest}"
        )
    spread = found.distances[-1].square().mean().sqrt().item()
    apart = f"{spread:.3g} of their first distance apart"
    if not ending.moving and len(ending.limits) == 1:
        period = len(ending.limits[0])
        one = "one limit" if period == 1 else f"one cycle of {period} steps, and its place in it tells of the start"
        return f"comes to {one}: {count} starts end {apart}{rest}"
    if not ending.moving:
        return f"keeps {_limits(found)} apart{_cycles(found)}: {count} starts end {apart}{rest}"
    settled = ""
    if ending.moving < count:
        settled = f", {count - ending.moving} have come to {_limits(found)}{_cycles(found)}"
    return (
        f"keeps moving: {ending.moving} of {count} starts have not settled in {counted(found.steps)}{settled}, and "
        f"starts are {apart}{rest}"
    )


def _limits(found: "VectorRecurrence") -> str:
    count = len(found.ending.limits)
    return f"{count} limit{'' if count == 1 else 's'}"


def _cycles(found: "VectorRecurrence") -> str:
    """How many of the limits are cycles."""
    limits = found.ending.limits
    periods = sorted({len(limit) for limit in limits if len(limit) > 1})
    if not periods:
        return ""
    count = sum(len(limit) > 1 for limit in limits)
    which = "a cycle" if len(limits) == 1 else "each a cycle" if count == len(limits) else f"{count} of them cycles"
    return f", {which} of {' or '.join(map(str, periods))} steps"


def _left(found: "VectorRecurrence") -> str:
    return f"; the largest singular value of ∂h({found.left_at[-1]})/∂h(0) is {found.left[-1, 0].item():.3g}"


def _saturation(found: "VectorRecurrence") -> str:
    return (
        f", and {100 * found.saturated:.0f} % of the units pass on less than 1 % of a change" if found.saturated else ""
    )
