"""Countries and capitals: does the same step lead from each country to its capital?

In the lecture's picture, and in Mikolov et al. 2013 (Distributed representations of words and phrases and their
compositionality, figure 2), the lines from countries to their capitals run side by side, though nobody told the net
what a capital is. A plane may show what is not there, so the offsets are also compared in all dimensions, with those
of countries that were given each other's capitals.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from peephole.embed.measuring.capitals_found import Capitals
from peephole.embed.measuring.country_capitals import PAIRS
from peephole.embed.measuring.lookup import RESTRICT, Lookup
from peephole.embed.measuring.questions import Section
from peephole.embed.vectors import Vectors, unit
from peephole.errors import InputError

SECTIONS = "capital"  # what the names of sections begin with whose questions are CAPITAL COUNTRY CAPITAL COUNTRY
SHUFFLES = 1000
DRAWN = 15  # pairs, as many as can be read
LEAST = 3  # pairs, below which no shuffling tells anything


def pairs_of(sections: Sequence[Section]) -> tuple[tuple[str, str], ...]:
    """Countries with their capitals from the sections of questions on them; none where there is no such section."""
    found: dict[tuple[str, str], None] = {}
    for section in sections:
        if section.name.startswith(SECTIONS):
            for one, its, other, others in section.questions:
                found[its, one] = found[others, other] = None
    return tuple(found)


def measure_capitals(
    vectors: Vectors,
    pairs: Sequence[tuple[str, str]] = PAIRS,
    seed: int = 0,
    drawn: int = DRAWN,
    restrict: int = RESTRICT,
    match_case: bool = False,
) -> Capitals:
    """The mean cosine of the offsets capital − country with each other, beside 1,000 shuffled pairings; and the
    principal plane of the `drawn` most frequent pairs.

    Pairs are left out whose words are not both among the `restrict` most frequent ones. `seed` draws the pairings.

    Raises:
        InputError: fewer than three pairs are there, or `drawn` is below 2.
    """
    return lay_out(Lookup.of(vectors, restrict, match_case), pairs, seed, drawn)


def lay_out(lookup: Lookup, pairs: Sequence[tuple[str, str]] = PAIRS, seed: int = 0, drawn: int = DRAWN) -> Capitals:
    """`measure_capitals` on words that were looked up before."""
    if drawn < 2:
        raise InputError(f"{drawn} pairs to draw; expected at least 2")
    places = {(lookup.find(country), lookup.find(capital)) for country, capital in pairs}
    known = sorted(
        ((one, other) for one, other in places if one is not None and other is not None and one != other),
        key=lambda pair: (max(pair), pair),
    )
    if len(known) < LEAST:
        raise InputError(
            f"{len(known)} of {len(pairs):,} countries are with their capitals among the {lookup.described} "
            f"(the first: {' '.join(pairs[0]) if pairs else 'none was given'}); expected {LEAST} at least"
        )
    countries, capitals = (lookup.rows[[pair[side] for pair in known]].astype(np.float64) for side in (0, 1))
    random = np.random.default_rng(seed)
    shuffled = [agreement(capitals[random.permutation(len(known))] - countries) for _ in range(SHUFFLES)]
    points, shares = _plane(np.concatenate([countries[:drawn], capitals[:drawn]]))
    return Capitals(
        pairs=tuple((lookup.words[one], lookup.words[other]) for one, other in known),
        given=len(pairs),
        cosine=agreement(capitals - countries),
        shuffled=np.array(shuffled),
        points=points.reshape(2, -1, 2).transpose(1, 0, 2),
        shares=shares,
    )


def agreement(offsets: Float[np.ndarray, "pairs numbers"]) -> float:
    """The mean cosine of all pairs of different rows."""
    directions = unit(offsets)
    count = len(directions)
    every, own = np.square(directions.sum(0)).sum(), np.square(directions).sum()
    return float((every - own) / (count * (count - 1)))


def _plane(rows: Float[np.ndarray, "words numbers"]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """The rows along their first two principal axes, `[words, 2]`, and the shares of variance along these.

    The first half are countries: each axis points the way most capitals lie.
    """
    centred = np.pad(rows - rows.mean(0), ((0, 0), (0, max(0, 2 - rows.shape[1]))))  # two axes even of one number
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    points = centred @ axes[:2].T
    half = len(points) // 2
    points = points * np.where((points[half:] - points[:half]).mean(0) < 0, -1, 1)
    total = max(float(np.square(lengths).sum()), np.finfo(float).tiny)
    first, second = (float(length**2) / total for length in lengths[:2])
    return points, (first, second)
