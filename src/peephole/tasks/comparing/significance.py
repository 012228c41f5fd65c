"""Whether groups of seeds differ: Student's t for pairs, Welch's otherwise, Holm's correction over several groups."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from peephole.errors import InputError

CONFIDENCE = 0.95
EXACT = 1e-12  # spread, as a share of the values, below which rounding is all there is


@dataclass(frozen=True)
class Difference:
    """How far a group's mean is above another's, in the unit of the values.

    `low` and `high` bound it with 95 % confidence; `p` is two-sided, `adjusted` is it after Holm's correction. All are
    None where no test can be made, and `test` says why.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    adjusted: float | None
    test: str

    @property
    def clear(self) -> bool:
        """Whether it is not chance: p below 0.05 after the correction, so that the interval leaves zero out."""
        return self.adjusted is not None and self.adjusted < 1 - CONFIDENCE


def check_installed() -> None:
    """Raise `InputError`, with the extra's name, where scipy is missing."""
    try:
        import scipy.stats  # noqa: F401
    except ImportError:
        raise InputError("comparing needs scipy, which is not installed; pip install 'peephole[compare]'") from None


def difference(best: Sequence[float], other: Sequence[float], paired: bool) -> Difference:
    """Mean of `other` − mean of `best`, tested: in pairs, or by Welch 1947 without assuming equal spread."""
    mean = fmean(other) - fmean(best)
    if min(len(best), len(other)) < 2:
        return Difference(mean, None, None, None, None, "one seed: no test")
    scale = max(map(abs, (*best, *other)))
    if paired:
        spread = stdev(theirs - ours for ours, theirs in zip(best, other, strict=True))
    else:
        spread = max(stdev(best), stdev(other))
    if spread <= EXACT * scale:
        return Difference(mean, None, None, None, None, "no spread over seeds: no test")
    check_installed()
    from scipy import stats

    found: Any = stats.ttest_rel(other, best) if paired else stats.ttest_ind(other, best, equal_var=False)
    interval = found.confidence_interval(CONFIDENCE)
    p = float(found.pvalue)
    name = "t over the same seeds" if paired else "Welch's t"
    return Difference(mean, float(interval.low), float(interval.high), p, p, name)


def differences(best: Sequence[float], others: Sequence[Sequence[float]], paired: Sequence[bool]) -> list[Difference]:
    """Each group against the best, p values corrected for how many they are (Holm 1979)."""
    found = [difference(best, other, pairs) for other, pairs in zip(others, paired, strict=True)]
    corrected = iter(holm([each.p for each in found if each.p is not None]))
    return [each if each.p is None else dataclasses.replace(each, adjusted=next(corrected)) for each in found]


def holm(values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the smallest of m times m, the next times m − 1, never falling, at most 1."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    corrected, least = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = least
    return corrected
