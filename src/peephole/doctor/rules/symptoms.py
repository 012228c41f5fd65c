"""Symptoms: what the divergences show, whatever the cause."""

import math

import numpy as np

from peephole.doctor.examination import Examination
from peephole.doctor.finding import Cure, Evidence, Finding
from peephole.doctor.measuring.attainable import attainable
from peephole.doctor.measuring.capacity import capacity
from peephole.doctor.measuring.course import Course, course
from peephole.doctor.measuring.level import level

STUCK = 0.03  # of the trivial divergence, learnt
UNDERFITTED, OVERFITTED = 0.4, 0.1
FLAT, LEFT = 0.01, 0.2  # moved, and still to be learnt: a part of every task cannot be
FULL_RATE = 0.2  # of the largest learning rate: below, a schedule ends the training, whatever is still to be learnt
WILD = 0.5


def stuck(examination: Examination) -> Finding | None:
    """No better than an answer that looks at nothing."""
    found = examination.measured(level)
    if not found.learnt < STUCK:
        return None
    return Finding(
        "stuck at the trivial baseline",
        cost=1.0 - found.learnt,
        confidence=0.9 if found.learnt < STUCK / 2 else 0.7,
        says=(
            f"The divergence on training data is {found.training:.4g}, and {found.trivial:.4g} is what an answer costs "
            "that looks at no input."
        ),
        numbers={"training": found.training, "trivial": found.trivial, "learnt": found.learnt},
        why="Nothing of the input reaches the answers: there is nothing to learn from it, or something is in the way",
        cure=Cure("See the causes above; without any, train longer or with a larger learning rate."),
        evidence=_divergences(examination, found.trivial, "trivial"),
    )


def underfitting(examination: Examination) -> Finding | None:
    """Much is left to learn, on data that was seen too."""
    found, lost = examination.measured(level), examination.measured(attainable).lost
    gap = examination.measured(capacity).gap
    if not lost > UNDERFITTED or gap > OVERFITTED:
        return None
    return Finding(
        "underfitting",
        cost=lost,
        confidence=0.7 if gap == gap else 0.5,
        says=f"{100 * lost:.0f} % of what could be learnt is missing on training data, and no more on held-out data.",
        numbers={"lost": lost, **({"training": found.training} if found.training == found.training else {})},
        why="Data that was seen and not learnt is no matter of too little data (Goodfellow et al. 2016, section 5.2)",
        cure=Cure("See the causes above; without any, train longer, or take more units."),
        evidence=_divergences(examination, found.trivial, "trivial"),
    )


def overfitting(examination: Examination) -> Finding | None:
    """Better on data that was seen than on other data, or ever worse on other data."""
    found = examination.measured(capacity)
    rise = found.rise if math.isfinite(found.rise) else 0.0
    if not found.gap > OVERFITTED and not rise > OVERFITTED:
        return None
    gap = found.gap if math.isfinite(found.gap) else 0.0
    return Finding(
        "overfitting",
        cost=min(1.0, max(gap, rise)),
        confidence=0.85 if max(gap, rise) > 2 * OVERFITTED else 0.6,
        says=(
            f"The held-out divergence is {100 * gap:.0f} % of the trivial one above that on training data, and rose by "
            f"{100 * rise:.0f} % from its best."
        ),
        numbers={"gap": gap, "rise": rise},
        why="What helps on the training data alone was learnt by heart (Goodfellow et al. 2016, section 5.2)",
        cure=Cure(
            "More data, fewer units or dropout; keep the weights that are best on held-out data.", {"keep": "best"}
        ),
        evidence=_held_out(examination),
    )


def plateau(examination: Examination) -> Finding | None:
    """The divergence stands still over the last half at a learning rate that could move it, with more to learn."""
    went, lost = examination.measured(course), examination.measured(attainable).lost
    parts, trivial = went.parts, examination.measured(level).trivial
    if not len(parts) or not lost > LEFT or not np.isfinite(parts).all():
        return None
    scale = trivial if trivial > 0 else float(parts[0])
    half = _full_rate(went, parts)
    middle = len(half) // 2
    if len(half) < 4:
        return None
    moved = abs(float(half[:middle].mean() - half[middle:].mean()))
    if moved > FLAT * scale + _noise(went):
        return None
    return Finding(
        "plateau",
        cost=lost,
        confidence=0.7 if moved < FLAT * scale else 0.5,
        says=f"The divergence went from {half[0]:.4g} to {half[-1]:.4g} while the learning rate was still large.",
        numbers={"before": float(half[0]), "after": float(half[-1])},
        why="Where the slope is next to nothing, steps lead nowhere",
        cure=Cure("See the causes above; without any, a larger learning rate or a curriculum may leave it."),
        evidence=_divergences(examination, None, ""),
    )


def oscillation(examination: Examination) -> Finding | None:
    """The divergence jumps up and down from step to step by much of its size, and does not settle."""
    went, lost = examination.measured(course), examination.measured(attainable).lost
    if len(went.divergences) < 40 or not lost > LEFT:
        return None
    later = went.divergences[len(went.divergences) // 4 : -len(went.divergences) // 5]
    trivial = examination.measured(level).trivial
    scale = trivial if trivial > 0 else float(np.nanmedian(went.divergences))
    trend = np.convolve(np.nan_to_num(later), np.ones(5) / 5, mode="same")[2:-2]
    wild = float(np.std(later[2:-2] - trend)) / scale
    swings = float(np.ptp(went.parts[1:-1])) / scale if len(went.parts) else 0.0
    rising = float(np.maximum(np.diff(went.parts), 0.0).sum()) / scale if len(went.parts) else 0.0
    if not (wild > WILD or (rising > WILD and swings > WILD)):
        return None
    return Finding(
        "oscillation",
        cost=lost,
        confidence=0.7,
        says=(
            f"From step to step the divergence jumps by {100 * wild:.0f} % of the trivial one, and it rose by "
            f"{100 * rising:.0f} % in all in between."
        ),
        numbers={"jumps": wild, "rises": rising},
        why="Steps too long for the slope go from one side of a valley to the other (LeCun et al. 1998, section 4)",
        cure=Cure("A smaller learning rate, larger batches, or a limit to the gradient."),
        evidence=_divergences(examination, None, ""),
    )


def _full_rate(went: Course, parts: "np.ndarray") -> "np.ndarray":
    """The tenths of the last six in which the learning rate was not small."""
    rates = np.array([np.nanmedian(part) if len(part) else np.nan for part in np.array_split(went.rates, len(parts))])
    if not np.isfinite(rates).all():
        return parts[4:]
    return parts[4:][rates[4:] > FULL_RATE * went.peak]


def _noise(went: Course) -> float:
    """The usual error of a tenth's median, from how much the divergence jumps."""
    each = max(1, len(went.divergences) // 10)
    jumps = np.abs(np.diff(went.divergences))
    return float(np.nanmedian(jumps)) / math.sqrt(each) * 1.25


def _divergences(examination: Examination, limit: float | None, name: str) -> Evidence | None:
    went = examination.measured(course)
    if len(went.divergences) < 2:
        return None
    every = max(1, len(went.steps) // 500)
    x, y = tuple(map(float, went.steps[::every])), tuple(map(float, went.divergences[::every]))
    usable = None if limit is None or not math.isfinite(limit) else limit
    return Evidence("Divergence of the training batches", x, y, "step", "divergence", usable, name if usable else "")


def _held_out(examination: Examination) -> Evidence | None:
    went = examination.measured(course)
    if len(went.held_out) < 2:
        return None
    x, y = tuple(map(float, went.held_out_steps)), tuple(map(float, went.held_out))
    return Evidence("Held-out divergence", x, y, "step", "divergence")
