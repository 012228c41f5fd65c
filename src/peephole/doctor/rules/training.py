"""Causes in how the net is trained: the size of its steps, and gradients that are cut short or explode."""

import math

import numpy as np

from peephole.doctor.examination import Examination
from peephole.doctor.finding import Cure, Evidence, Finding
from peephole.doctor.measuring.attainable import attainable
from peephole.doctor.measuring.course import course
from peephole.doctor.measuring.explosion import explosion
from peephole.doctor.measuring.missing import LEARNT, MOST_WHERE_LEARNT, has_just_begun
from peephole.doctor.measuring.rates import Rates, rates
from peephole.doctor.measuring.updates import updates

USUAL_UPDATE = 3e-3  # of the weights: between the 1e-3 of Karpathy's lecture notes (CS231n) and what small nets take
SAFE = 0.1  # of the best rate of a range test: what few steps bear, many do not (Smith 2017)
GROWS = 10.0  # times as large on its way back: weights at the start let it
SCALE_FREE = ("adamw", "adam", "nadam", "radam", "adamax", "rmsprop", "adagrad", "adadelta")

RATE_WHY = {
    "learning rate too high": (
        "Steps longer than the slope is straight overshoot: weights grow until units saturate, and what was learnt is "
        "lost again (LeCun et al. 1998, section 4.7; Bengio 2012, section 3.1.1)"
    ),
    "learning rate too low": (
        "Every step goes the right way, but so short a way that training ends long before it arrives (Bengio 2012, "
        "section 3.1.1)"
    ),
}
CLIPPING_WHY = (
    "Clipping is meant for the rare gradient that explodes (Pascanu, Mikolov & Bengio 2013). Where every gradient is "
    "shortened, all steps of plain descent have the same length, the limit times the learning rate, whatever the slope"
)
EXPLODING_WHY = (
    "A gradient that grows with every step back in time is ruled by the distant past of a few sequences, and one such "
    "step throws the weights far away (Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013)"
)


def rate_too_high(examination: Examination) -> Finding | None:
    """Weights that have grown out of all proportion, at steps that a range test from the start does not bear."""
    name, rate = "learning rate too high", _rate(examination)
    lost = examination.measured(attainable).lost
    if rate is None:
        return None
    went, seen = examination.measured(course), examination.measured(updates)
    learnt = lost < LEARNT
    parts = went.parts
    begun = float(parts[0]) if len(parts) else math.nan
    rose = bool(len(parts) and np.nanmax(parts[1:]) > 1.3 * begun)
    if not (rose or seen.grown > 2.5 or seen.usual > 0.03):
        return None
    tried = None if learnt else examination.measured(rates)  # the dear one last
    confidence, found = 0.1, math.nan
    if tried is not None and tried.from_start:
        found = _factor(tried)
        if found < 1.0 and not rose:
            return None
        confidence += 0.15 * (found >= 1.0) + 0.1 * (found >= 3.0) + 0.2 * (found >= 10.0) + 0.15 * (rate > tried.edge)
        confidence += 0.25 * (seen.grown > 5.0) + 0.1 * (seen.grown > 10.0)
    else:
        confidence += 0.1 * (seen.grown > 5.0) + 0.15 * (seen.usual > 0.03) + 0.15 * (seen.usual > 0.1)
    confidence += 0.25 * rose
    if confidence <= (0.15 if learnt else 0.35):
        return None
    confidence = min(confidence, MOST_WHERE_LEARNT) if learnt else confidence
    new = _one_digit(_better(tried, rate, seen.usual, high=True))
    times = f", {found:.2g} times the best of a range test from the start" if math.isfinite(found) else ""
    grew = f"; the weights grew to {seen.grown:.3g} times their size" if seen.grown > 2 else ""
    up = f"; the divergence rose from {begun:.3g} to {np.nanmax(parts[1:]):.3g}" if rose else ""
    return Finding(
        name,
        cost=_cost(lost),
        confidence=min(0.95, confidence),
        says=f"The learning rate is {rate:.3g}{times}{grew}{up}.",
        numbers=_known({"learning_rate": rate, "of_best": found, "grown": seen.grown, "update": seen.usual}),
        why=RATE_WHY[name],
        cure=Cure(f"Train with a learning rate of about {new:g}.", {"learning_rate": new}),
        evidence=_range_test(tried),
    )


def rate_too_low(examination: Examination) -> Finding | None:
    """Weights that have hardly moved, at steps far shorter than those that a range test from the start gains by."""
    name, rate = "learning rate too low", _rate(examination)
    lost = examination.measured(attainable).lost
    went, seen = examination.measured(course), examination.measured(updates)
    if rate is None or lost < LEARNT or not len(went.steps) or went.died:
        return None
    short, tiny = seen.moved < 0.5, seen.usual < 1e-3
    if not (short or tiny):
        return None
    tried = examination.measured(rates)  # the dear one last
    factor = _factor(tried) if tried is not None else math.nan
    if factor > 0.05:
        return None
    confidence = 0.2 + 0.2 * short + 0.1 * (seen.moved < 0.2) + 0.15 * tiny + 0.1 * (seen.usual < 2e-4)
    confidence += 0.1 * (factor <= 0.05) + 0.1 * (factor <= 0.011)
    if tried is not None and factor <= 0.05 and min(tried.divergences) < 0.9 * tried.before:
        confidence += 0.15  # larger steps do not only do no harm: they help
    if has_just_begun(examination):  # it has not come far at any learning rate
        confidence = min(confidence, MOST_WHERE_LEARNT)
    new = _one_digit(_better(tried, rate, seen.usual, high=False))
    moved = f" The weights have moved by {100 * seen.moved:.2g} % of their size." if math.isfinite(seen.moved) else ""
    update = f", each step changes the weights by {seen.usual:.1g} of their size" if math.isfinite(seen.usual) else ""
    return Finding(
        name,
        cost=_cost(lost),
        confidence=min(0.95, confidence),
        says=f"The learning rate is {rate:.3g}{update}.{moved}{_gains(tried)}",
        numbers=_known({"learning_rate": rate, "of_best": factor, "moved": seen.moved, "update": seen.usual}),
        why=RATE_WHY[name],
        cure=Cure(f"Train with a learning rate of about {new:g}.", {"learning_rate": new}),
        evidence=_range_test(tried),
    )


def clipping_always(examination: Examination) -> Finding | None:
    """A limit that nearly every gradient is above, several times."""
    went, lost = examination.measured(course), examination.measured(attainable).lost
    clip = examination.case.settings.get("clip_norm")
    norms = went.norms[np.isfinite(went.norms)]
    if not isinstance(clip, int | float) or len(norms) < 20:
        return None
    clipped, usual = float((norms > clip).mean()), float(np.median(norms))
    if clipped < 0.9 or usual < 2 * clip or lost < LEARNT:
        return None
    kind = str(examination.case.settings.get("optimizer", "adamw")).lower()
    confidence = 0.5 + 0.15 * (usual > 4 * clip) + 0.15 * (clipped > 0.98) + 0.1 * (usual > 30 * clip)
    cost = _cost(lost)
    if kind in SCALE_FREE:  # these divide by the size of the gradient: a limit on it changes next to nothing
        confidence, cost = 0.35, min(cost, 0.2)
    new = _one_digit(float(np.quantile(norms, 0.9)))
    return Finding(
        "clipping on every step",
        cost=cost,
        confidence=confidence,
        says=(
            f"{100 * clipped:.0f} % of the gradients were longer than the limit of {clip:g}: their median length is "
            f"{usual:.3g}, {usual / clip:.3g} times as much."
        ),
        numbers={"clipped": clipped, "clip_norm": float(clip), "usual_norm": usual},
        why=CLIPPING_WHY,
        cure=Cure(f"Raise the limit to about {new:g}, what one gradient in ten is longer than.", {"clip_norm": new}),
        evidence=Evidence(
            "Length of the gradient", *_curve(went.steps, went.norms), "step", "‖∂Div/∂w‖", float(clip), "limit", True
        ),
    )


def exploding_gradient(examination: Examination) -> Finding | None:
    """A gradient that grew on its way back before training had changed the weights, and that nothing holds."""
    went, grown, lost = (
        examination.measured(course),
        examination.measured(explosion),
        examination.measured(attainable).lost,
    )
    early = max(
        (value for value in (grown.start, *(each for step, each in grown.looks if step <= 1)) if value == value),
        default=math.nan,
    )
    norms = went.norms[np.isfinite(went.norms)]
    usual, largest = (float(np.median(norms)), float(norms.max())) if len(norms) else (math.nan, math.nan)
    clip = examination.case.settings.get("clip_norm")
    held = isinstance(clip, int | float) and not clip > 10 * max(usual, 1.0)
    spikes = largest > 30 * usual and largest > 30
    late = grown.now if grown.start != grown.start else math.nan  # of a net whose start nobody knows
    factor = early if early == early else late
    slight = 0.0 if held else 0.42
    growing = ((3, slight), (10, 0.45 - slight), (100, 0.15), (1000, 0.15), (1e4, 0.1))
    confidence = sum(step for limit, step in growing if factor > limit)
    confidence += 0.1 * (spikes and factor > 10) + (0.45 if spikes and factor != factor else 0.0)
    if held:
        confidence -= 0.2
    if confidence <= 0.2:
        return None
    if lost < LEARNT and not went.died:
        confidence = min(confidence, MOST_WHERE_LEARNT)
    new = 1.0 if not math.isfinite(usual) or usual > 0.1 else _one_digit(3 * usual)
    growth = (
        f"The gradient of {grown.where} grows {factor:.3g}-fold on its way back in time"
        if factor > 3
        else "Gradients have spikes"
    )
    length = f"; the longest gradient is {largest:.3g}, the median {usual:.3g}" if math.isfinite(usual) else ""
    limit = f", and the limit of {clip:g} shortens it" if held else ", and no limit shortens it"
    cure = _holding(held, new, factor)
    return Finding(
        "exploding gradient",
        cost=_cost(lost),
        confidence=min(0.95, confidence),
        says=f"{growth}{length}{limit}.",
        numbers=_known({"growth": factor, "usual_norm": usual, "largest_norm": largest}),
        why=EXPLODING_WHY,
        cure=cure,
        evidence=Evidence(
            f"Gradient of {grown.where}",
            tuple(map(float, range(len(grown.curve)))),
            grown.curve,
            "steps back",
            "‖∂Div(t)/∂state(t − lag)‖",
            None,
            "",
            True,
        )
        if grown.curve
        else None,
    )


def _rate(examination: Examination) -> float | None:
    rate = examination.case.settings.get("learning_rate")
    return float(rate) if isinstance(rate, int | float) and rate > 0 else None


def _factor(tried: Rates) -> float:
    """The training's rate beside the best; where no rate gains anything, beside the largest that does no harm."""
    return tried.rate / (tried.best if math.isfinite(tried.best) else tried.edge)


def _better(tried: Rates | None, rate: float, update: float, high: bool) -> float:
    """A rate by the range test, or one whose updates are of the usual size; at least five times away from `rate`."""
    by_update = rate * USUAL_UPDATE / update if update > 0 else math.nan
    by_test = math.nan if tried is None else SAFE * tried.best if math.isfinite(tried.best) else 0.3 * SAFE * tried.edge
    if high and math.isfinite(by_test):  # what is saturated has small updates at any rate
        by_update = math.nan
    both = [value for value in (by_test, by_update) if math.isfinite(value)]
    new = math.exp(sum(map(math.log, both)) / len(both)) if both else rate * (0.1 if high else 10.0)
    return min(new, rate / 5) if high else max(new, 5 * rate)


def _gains(tried: Rates | None) -> str:
    if tried is None or not math.isfinite(tried.best):
        return ""
    return (
        f" A range test from {'the start' if tried.from_start else 'here'} takes the divergence from "
        f"{tried.before:.3g} to {tried.own:.3g} at this rate, and to {min(tried.divergences):.3g} at {tried.best:.2g}."
    )


def _range_test(tried: Rates | None) -> Evidence | None:
    if tried is None:
        return None
    most = 10 * tried.before
    shown = tuple(min(value, most) for value in tried.divergences)
    places = tuple(math.log10(rate) for rate in tried.rates)
    title = f"Range test (own rate {tried.rate:.2g})"
    return Evidence(title, places, shown, "log10 of the learning rate", "divergence", tried.before, "before")


def _cost(lost: float) -> float:
    return lost if math.isfinite(lost) else 0.5


def _known(numbers: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def _curve(x: "np.ndarray", y: "np.ndarray") -> tuple[tuple[float, ...], tuple[float, ...]]:
    """At most 500 points."""
    every = max(1, len(x) // 500)
    return tuple(map(float, x[::every])), tuple(map(float, y[::every]))


def _one_digit(value: float) -> float:
    return float(f"{value:.0e}")


def _holding(held: bool, limit: float, factor: float) -> Cure:
    """Weights that do not let it grow where it grew from the start, and a limit where there is none."""
    weights = "start from orthogonal recurrent weights, which let a gradient neither grow nor fade"
    if held:
        return Cure(f"{weights[0].upper()}{weights[1:]}.", {"init": "orthogonal"})
    changes: dict[str, float | str] = {"clip_norm": limit}
    text = f"Shorten gradients to a length of {limit:g}"
    if factor > GROWS:
        changes["init"] = "orthogonal"
        text = f"{text}, and {weights}"
    return Cure(f"{text}.", changes)
