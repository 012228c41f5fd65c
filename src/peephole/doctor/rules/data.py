"""What may be wrong with the data: its scale, and what training and held-out data share."""

import math

from peephole.doctor.examination import Examination
from peephole.doctor.finding import Cure, Evidence, Finding
from peephole.doctor.measuring.inputs import Scales, scales
from peephole.doctor.measuring.level import level_of, still_to_learn
from peephole.doctor.measuring.overlap import overlap

# LeCun, Bottou, Orr & Müller 1998, section 4.3, want means near 0 and deviations near 1. What gates and tanh units can
# still make good by their weights begins to fail where a feature spans more than their whole range many times over.
WIDE, NARROW = 8.0, 0.02  # standard deviations
OFF, OFF_LEAST = 4.0, 2.0  # a mean so many deviations from zero, and so far
SPARSE = 0.1  # a marker that is rarely 1 has a small deviation, and is none the worse for it
SHOWN = 16  # features whose numbers are told

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
