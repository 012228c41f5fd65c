"""Causes in the size of the net: too many parameters for what there is to learn from, or too few units for the task."""

import math

from peephole.doctor.examination import Examination
from peephole.doctor.finding import Cure, Evidence, Finding
from peephole.doctor.measuring.attainable import attainable
from peephole.doctor.measuring.capacity import Capacity, capacity
from peephole.doctor.measuring.course import course
from peephole.doctor.measuring.level import level
from peephole.doctor.measuring.missing import MOST_WHERE_LEARNT, has_just_begun
from peephole.doctor.measuring.updates import updates

GAP, RISE = 0.12, 0.05  # of the trivial divergence
FEW = 8  # units in all: what they can tell apart can be counted on two hands
LOST = 0.15
SLIGHT = 0.02  # a gap or a loss that is there, and hardly worth a word

LARGE_WHY = (
    "A net with more parameters than there are targets learns the training data by heart, which says nothing of other "
    "data (Bishop 2006, section 3.2; Zaremba, Sutskever & Vinyals 2014 for recurrent nets)"
)
SMALL_WHY = (
    "All that a net knows of the past stands in its units, and its answers have no more dimensions than those: few "
    "units cannot tell apart what has to be told apart (Collins, Sohl-Dickstein & Sussillo 2017; Yang et al. 2018)"
)


def too_large(examination: Examination) -> Finding | None:
    """Far better on data that was seen, with more parameters than the data has targets."""
    found = examination.measured(capacity)
    crowding, gap, rise = found.crowding, found.gap, found.rise
    if not gap > SLIGHT or not (crowding > 0.3 or (crowding != crowding and rise > 2 * RISE)):
        return None
    confidence = 0.25 + 0.15 * (gap > 0.2) + 0.1 * (gap > 0.4) + 0.1 * (rise > RISE) + 0.05 * (rise > 0.2)
    confidence += 0.2 * (crowding > 1) + 0.1 * (crowding > 5)
    if crowding != crowding:
        confidence = min(confidence, 0.5)
    if gap <= GAP:
        confidence = min(confidence, MOST_WHERE_LEARNT)
    known = (
        f"{found.parameters:,} parameters learn from {found.examples:,} targets"
        if found.examples
        else (f"{found.parameters:,} parameters learn from this data")
    )
    risen = f", and it had risen by {100 * rise:.0f} % from its best" if rise > 0.01 else ""
    wide = _narrower(examination, found)
    changes: dict[str, float | int] = {"dropout": 0.3}
    if wide:
        changes["hidden_size"] = wide
    return Finding(
        "net too large for the data",
        cost=min(1.0, max(0.3 if gap > GAP else 0.0, gap + max(rise, 0.0))),
        confidence=min(0.95, confidence),
        says=(
            f"{known}; the held-out divergence is {100 * gap:.0f} % of the trivial one above that on training "
            f"data{risen}."
        ),
        numbers=_known({"parameters_a_target": crowding, "gap": gap, "rise": rise}),
        why=LARGE_WHY,
        cure=Cure(
            f"{f'Take {wide} units' if wide else 'Take fewer units'} and a dropout of 0.3, or more data; stop where "
            "the held-out divergence is lowest.",
            changes,
        ),
        evidence=_held_out(examination),
    )


def too_small(examination: Examination) -> Finding | None:
    """A net of few units that was trained soundly, does as badly on what it has seen, and has more to learn."""
    found, lost = examination.measured(capacity), examination.measured(attainable).lost
    went, seen = examination.measured(course), examination.measured(updates)
    if not found.units or not lost > SLIGHT or found.gap > GAP or went.died or not found.parameters:
        return None
    few = found.units <= FEW
    narrow = found.widest <= 4 * FEW and found.widest < found.outputs / 4
    if not few and not narrow:
        return None
    sound = seen.usual > 1e-3 if math.isfinite(seen.usual) else seen.moved > 0.5
    confidence = 0.15 + 0.2 * few + 0.1 * (found.units <= 4) + 0.05 * (found.units <= 2)
    confidence += 0.15 * bool(sound) + 0.15 * narrow + 0.1 * (found.falling < 0.05)
    if lost <= LOST or has_just_begun(examination):
        confidence = min(confidence, MOST_WHERE_LEARNT)
    new = max(32, 4 * found.widest)
    beside = f", and the data has {found.outputs} classes" if narrow else ""
    ngram = examination.measured(attainable).ngram
    text = (
        f"; {examination.measured(level).held_out:.3g} nats, where counting n-grams gives {ngram:.3g}"
        if ngram == ngram
        else ""
    )
    return Finding(
        "net too small for the data",
        cost=lost,
        confidence=confidence,
        says=(
            f"{found.units} recurrent unit{'s' if found.units > 1 else ''}{beside}: {100 * lost:.0f} % of what could "
            f"be learnt is missing, on training data as on held-out data{text}."
        ),
        numbers=_known({"units": float(found.units), "lost": lost, "gap": found.gap}),
        why=SMALL_WHY,
        cure=Cure(f"Take {new} units a layer.", {"hidden_size": new}),
        evidence=_held_out(examination),
    )


def _narrower(examination: Examination, found: Capacity) -> int:
    """Units with which there would be about as many parameters as targets; 0 where that is not known."""
    if not found.widest or not found.examples:
        return 0
    wide = found.widest * math.sqrt(found.examples / found.parameters)
    return max(8, min(round(wide), found.widest // 2))


def _held_out(examination: Examination) -> Evidence | None:
    went = examination.measured(course)
    if len(went.held_out) < 2:
        return None
    x, y = tuple(map(float, went.held_out_steps)), tuple(map(float, went.held_out))
    ended = float(went.parts[-1]) if len(went.parts) else None
    return Evidence("Held-out divergence", x, y, "step", "divergence", ended, "on training data at the end")


def _known(numbers: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
