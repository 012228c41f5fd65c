"""What may be wrong with the data: its scale, whether there is anything in it, and what training and held-out share."""

import math
from statistics import median

import torch

from peephole.doctor.examination import Examination
from peephole.doctor.finding import Cure, Evidence, Finding
from peephole.doctor.measuring.inputs import Scales, scales
from peephole.doctor.measuring.level import Level, level, trivial, trivial_by_step
from peephole.doctor.measuring.overlap import overlap
from peephole.doctor.measuring.predictability import agreement, text
from peephole.doctor.measuring.simple import simple
from peephole.train.watch.row import WatchRow

# LeCun, Bottou, Orr & Müller 1998, section 4.3, want means near 0 and deviations near 1. What gates and tanh units can
# still make good by their weights begins to fail where a feature spans more than their whole range many times over.
WIDE, NARROW = 8.0, 0.02  # standard deviations
OFF, OFF_LEAST = 4.0, 2.0  # a mean so many deviations from zero, and so far
SPARSE = 0.1  # a marker that is rarely 1 has a small deviation, and is none the worse for it
SHOWN = 16  # features whose numbers are told

GAIN, SOME_GAIN = 0.02, 0.05  # of the surprisal, by n-grams; English has about a half
LEARNT = 0.05  # a net that got further has found something
EXPLAINED = 0.03  # of the variance, by a linear model

BOTH, MANY = 0.15, 0.3  # share of the held-out data that training has too


def inputs_not_normalised(examination: Examination) -> Finding | None:
    """Features whose deviation or mean is far from what weights begin with."""
    found = examination.measured(scales)
    if found is None:
        return None
    degrees = _degrees(found)
    bad = [number for number, degree in enumerate(degrees) if degree > 1]
    if not bad:
        return None
    how_much = level_of(examination)
    worst = max(bad, key=lambda number: degrees[number])
    mean, deviation = float(found.mean[worst]), float(found.deviation[worst])
    confidence = min(0.95, 0.6 + 0.15 * math.log10(degrees[worst]))
    if how_much.learnt_held_out > 0.9 or (math.isnan(how_much.learnt_held_out) and how_much.learnt > 0.9):
        confidence *= 0.6 if degrees[worst] < 3 else 0.8  # it learnt nevertheless
    numbers = {"features": float(len(degrees)), "far": float(len(bad)), "feature": float(worst)}
    for number in range(min(SHOWN, len(degrees))):
        numbers |= {f"mean_{number}": float(found.mean[number]), f"deviation_{number}": float(found.deviation[number])}
    where = "of what reaches the first layer with weights" if found.within else "of the input"
    return Finding(
        name="inputs not normalised",
        cost=max(0.3, still_to_learn(how_much)),
        confidence=confidence,
        says=f"{len(bad)} of {len(degrees)} features {where} are far from mean 0 and deviation 1; feature {worst} has "
        f"mean {mean:.3g} and standard deviation {deviation:.3g}.",
        numbers=numbers,
        why="Large inputs saturate gates and units at once, small ones do not move them, and a mean far from zero "
        "makes the gradients of all weights of a unit rise and fall together (LeCun, Bottou, Orr & Müller 1998, "
        "section 4.3).",
        cure=Cure(
            f"Subtract from each feature its mean over the training data and divide by its standard deviation, the "
            f"same for held-out data: of feature {worst} {mean:.4g} and {deviation:.4g}.",
            repair="normalised inputs",
        ),
        evidence=Evidence(
            "standard deviation of each feature",
            tuple(map(float, range(len(degrees)))),
            tuple(found.deviation.tolist()),
            "feature",
            "standard deviation",
            limit=1.0,
            limit_name="normalised",
            logarithmic=True,
        ),
    )


def _degrees(found: Scales) -> list[float]:
    """How many times over each feature is further off than it may be."""
    degrees = []
    for mean, deviation, furthest in zip(found.mean, found.deviation, found.furthest, strict=True):
        mean, deviation, furthest = abs(float(mean)), float(deviation), float(furthest)
        wide = deviation / WIDE
        narrow = NARROW / deviation if deviation > 0 and furthest < SPARSE else 0.0
        off = mean / OFF_LEAST if mean > OFF * deviation else 0.0
        degrees.append(max(wide, narrow, off))
    return degrees


def nothing_to_predict(examination: Examination) -> Finding | None:
    """Targets that neither simple models nor a net that was trained soundly get anything of."""
    how_much = level_of(examination)
    if _reached(examination, how_much) > LEARNT:
        return None
    return _no_text(examination) if examination.case.streams is not None else _no_answers(examination, how_much)


def _reached(examination: Examination, how_much: Level) -> float:
    """The share that was learnt of what an answer costs on the very same batches that sees no input, or the number of
    the step alone; on held-out ones if there are; NaN if not known. A few hundred values have a variance of their own,
    some percent off that of all that there are.
    """
    case = examination.case
    known = not math.isnan(how_much.held_out)
    batches = case.held_out if known else case.training
    constant, by_step = trivial(batches), trivial_by_step(batches)
    reached = how_much.held_out if known else how_much.training
    known_ones = [value for value in (constant, by_step, how_much.trivial) if not math.isnan(value)]
    blind = min(known_ones, default=math.nan)
    return 1 - reached / blind if blind > 0 else math.nan


def _no_text(examination: Examination) -> Finding | None:
    counted = examination.measured(text)
    if counted is None or counted.gain > SOME_GAIN:
        return None
    single, best = counted.surprisal[0], min(counted.surprisal[1:])
    return Finding(
        name="nothing to predict",
        cost=1.0,
        confidence=0.9 if counted.gain < GAIN else 0.7,
        says=f"Held-out symbols cost {single:.3f} nats when their frequencies alone are known, and {best:.3f} at best "
        f"when up to four symbols before them are: a gain of {100 * counted.gain:.1f} %.",
        numbers={"unigram": single, "best": best, "gain": counted.gain},
        why="A symbol that does not depend on those before it costs the entropy of its distribution, whoever predicts "
        "it (Shannon 1951); a net can only fit what is there by chance.",
        cure=Cure(
            "Look at the data as it reaches the net: is it shuffled, encrypted, or decoded wrongly?", repair="data"
        ),
        evidence=Evidence(
            "n-grams on held-out text",
            tuple(map(float, range(1, 1 + len(counted.surprisal)))),
            counted.surprisal,
            "order",
            "nats a symbol",
            limit=single,
            limit_name="frequencies alone",
        ),
    )


def _no_answers(examination: Examination, how_much: Level) -> Finding | None:
    """By exclusion, unless equal inputs with different targets say it directly."""
    linear, equal = examination.measured(simple), examination.measured(agreement)
    if linear is None or linear.explained > max(0.0, linear.chance) + EXPLAINED:
        return None
    if equal is not None and equal.gain > 0.25:
        return None
    at_baseline = how_much.training < (1 + 2 * LEARNT) * how_much.trivial
    if not at_baseline or not _sound(examination):
        return None
    numbers = {"explained": linear.explained, "by_chance": linear.chance, "divergence": how_much.training}
    told = ""
    if equal is not None:
        told = f", and targets after the same inputs agree no more than any others ({100 * equal.gain:.0f} %)"
        numbers |= {"agreement": equal.gain, "pairs": float(equal.pairs)}
    return Finding(
        name="nothing to predict",
        cost=0.9,
        confidence=0.55 if equal is None or equal.steps < 2 else 0.65,
        says=f"The net is where an answer is that looks at no input ({how_much.training:.4g} against "
        f"{how_much.trivial:.4g}) though its weights were trained, and a linear model explains "
        f"{100 * max(0.0, linear.explained):.1f} % of the targets{told}.",
        numbers=numbers | {"trivial": how_much.trivial},
        why="Where targets do not depend on the inputs nothing can be learnt but their mean and frequencies; shuffling "
        "the targets makes such a set of any other (Zhang et al. 2017).",
        cure=Cure(
            "Look at inputs and targets side by side as they reach the net: do they belong together, or was one of "
            "them shuffled, sorted or shifted without the other?",
            repair="data",
        ),
    )


def _sound(examination: Examination) -> bool:
    """Whether the training moved the weights as trainings do: only then does it tell something that it got nowhere."""
    rows = examination.case.history
    norms = [float(row["gradient_norm"]) for row in rows if row.get("gradient_norm") is not None]
    if len(norms) < 20 or not math.isfinite(sum(norms)) or median(norms) <= 0:
        return False
    looks = [look for row in rows if (look := WatchRow.read(row)) is not None and look.update is not None]
    updates = [look.update for look in looks[1:] or looks if look.update is not None]
    if updates:
        return 1e-4 <= median(updates) <= 0.1
    return _moved(examination)


def _moved(examination: Examination) -> bool:
    """Whether the weights are elsewhere than at the start, but not out of all proportion."""
    model, start = examination.case.model, examination.case.start
    if model is None or start is None:
        return False
    before = dict(start.named_parameters())
    ratios = []
    for name, weight in model.named_parameters():
        if name in before and before[name].shape == weight.shape and weight.dim() > 1:
            old = before[name].detach().float()
            ratios.append(float(torch.norm(weight.detach().float() - old) / torch.norm(old).clamp_min(1e-12)))
    return bool(ratios) and 0.02 <= median(ratios) <= 20


def data_in_both_splits(examination: Examination) -> Finding | None:
    """Held-out data that the training has as well."""
    found = examination.measured(overlap)
    if found is None or found.share < BOTH:
        return None
    is_text = examination.case.streams is not None
    repeats = found.within > 0.5 * found.share
    if repeats and not is_text:
        return None  # sequences so short that they repeat by chance
    confidence = 0.45 if repeats else 0.95 if found.share >= MANY else 0.8
    what = f"stretches of {found.length} symbols" if is_text else f"sequences of {found.length} steps"
    apart = f"; within the training {100 * found.within:.0f} % of them repeat" if is_text else ""
    return Finding(
        name="data in both splits",
        cost=min(1.0, 0.5 + 0.5 * found.share),
        confidence=confidence,
        says=f"{100 * found.share:.0f} % of {found.looked_for:,} held-out {what} are in the training data, symbol for "
        f"symbol{apart}."
        if is_text
        else f"{100 * found.share:.0f} % of {found.looked_for:,} held-out {what} are in the training batches too.",
        numbers={"share": found.share, "within": found.within, "looked_for": float(found.looked_for)},
        why="What the net has seen it may know by heart, so that the held-out divergence says too little, and the "
        "weights that are kept are those that know most by heart (Lee et al. 2022).",
        cure=Cure(
            "Split by whole documents or sources after removing duplicates, and leave out of the held-out data what "
            "the training has.",
            repair="held-out without what training has",
        ),
        evidence=Evidence(
            "held-out data that training has",
            tuple((number + 0.5) / len(found.places) for number in range(len(found.places))),
            found.places,
            "place in the held-out data",
            "share",
            limit=found.within,
            limit_name="training within itself",
        )
        if found.places
        else None,
    )


def level_of(examination: Examination) -> Level:
    """How much was learnt; NaN where the net cannot be run."""
    try:
        return examination.measured(level)
    except Exception:  # whatever a module of somebody's does not take
        return Level(math.nan, math.nan, math.nan)


def still_to_learn(how_much: Level) -> float:
    """The share of the trivial divergence that is left, on held-out data where there is some; a half if not known."""
    learnt = how_much.learnt if math.isnan(how_much.learnt_held_out) else how_much.learnt_held_out
    return 0.5 if math.isnan(learnt) else 1.0 - learnt
