"""Spearman's rank correlation of what was measured in groups, with an interval that knows of the groups."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError

LEAST = 3  # pairs: any two are in order or in reverse


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's ρ, and what bounds it with 95 % confidence; NaN where one side is all the same."""

    value: float
    low: float
    high: float
    count: int
    groups: int

    @property
    def text(self) -> str:
        """The correlation and its interval, `0.91 (0.84 to 0.95)`."""
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def rank_correlation(
    first: Sequence[float | int],
    second: Sequence[float | int],
    groups: Sequence[Hashable] | None = None,
    resamples: int = 4000,
    seed: int = 0,
) -> RankCorrelation:
    """Spearman's (1904) rank correlation of pairs, ties sharing their mean rank.

    The interval is a bootstrap's (percentiles; Efron 1979) that draws whole `groups` with replacement (Field & Welsh
    2007), because pairs of one group, such as nets that differ by their seed alone, are no independent witnesses: it is
    wider than one over pairs, which is what each pair being its own group (the default) gives. Resamples in which one
    side is all the same have no correlation and do not count.
    """
    if not len(first) == len(second) == len(groups if groups is not None else first):
        raise InputError(f"got {len(first)} and {len(second)} values; expected pairs, and a group for each")
    if len(first) < LEAST:
        raise InputError(f"got {len(first)} pairs; expected at least {LEAST}, to put them in order")
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups or range(len(first))))}
    member = np.array([numbers[group] for group in groups or range(len(first))])
    drawn = np.random.default_rng(seed).multinomial(len(numbers), np.full(len(numbers), 1 / len(numbers)), resamples)
    weights = np.concatenate([np.ones((1, len(first))), drawn[:, member]])  # how often each pair was drawn
    value, *others = _correlations(np.asarray(first, float), np.asarray(second, float), weights).tolist()
    known = np.array([one for one in others if not np.isnan(one)])
    low, high = np.percentile(known, (2.5, 97.5)).tolist() if len(known) else (np.nan, np.nan)
    return RankCorrelation(value, low, high, len(first), len(numbers))


def _correlations(first: NDArray[np.float64], second: NDArray[np.float64], weights: NDArray) -> NDArray[np.float64]:
    """Spearman's ρ for each weighting `[R, n]` of the pairs."""
    total = weights.sum(1, keepdims=True)
    one, other = (_ranks(values, weights) - total / 2 for values in (first, second))  # mean ranks are total / 2
    covariance = (weights * one * other).sum(1)
    spread = np.sqrt((weights * one**2).sum(1) * (weights * other**2).sum(1))
    return np.divide(covariance, spread, out=np.full(len(weights), np.nan), where=spread > 0)


def _ranks(values: NDArray[np.float64], weights: NDArray) -> NDArray[np.float64]:
    """For each weighting and pair, how much lies below it, and half of what is level with it, itself included."""
    below = (values[None, :] < values[:, None]) + 0.5 * (values[None, :] == values[:, None])
    return weights @ below.T
