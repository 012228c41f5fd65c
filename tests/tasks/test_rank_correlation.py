"""Spearman's rank correlation against values by hand, and its interval against how often it is right."""

import math

import numpy as np
import pytest

from peephole.errors import InputError
from peephole.tasks.rank_correlation import rank_correlation


def test_values_by_hand() -> None:
    # Without ties 1 − 6 Σd² / (n³ − n): ranks 1 2 3 4 5 and 2 1 4 3 5, Σd² = 4.
    assert rank_correlation([10, 20, 30, 40, 50], [2, 1, 40, 3, 50]).value == pytest.approx(1 - 24 / 120)
    # Ranks 1 2 3 4 5 and 1, 2, 3½, 5, 3½: Σxy = 0·… = 8, Σx² = 10, Σy² = 9½, about the mean 3.
    assert rank_correlation([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]).value == pytest.approx(8 / math.sqrt(10 * 9.5))
    # Ties on both sides: ranks 1½ 1½ 3 4 and 2 2 2 4: Σxy = 2, Σx² = 4½, Σy² = 3, about the mean 2½.
    assert rank_correlation([0, 0, 1, 7], [3, 3, 3, 9]).value == pytest.approx(3 / math.sqrt(4.5 * 3))
    assert rank_correlation([1, 2, 3], [30, 20, 10]).value == pytest.approx(-1)
    assert math.isnan(rank_correlation([1, 2, 3], [5, 5, 5]).value)


def test_only_order_counts() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(size=30), random.normal(size=30)
    plain = rank_correlation(first.tolist(), second.tolist())
    assert rank_correlation(np.exp(first).tolist(), (second**3).tolist()) == plain


def test_the_interval_covers() -> None:
    """Of normal pairs of correlation r ρ is 6 / π asin(r / 2) (Pearson 1907); the interval holds it 19 times of 20."""
    random, r = np.random.default_rng(1), 0.7
    truth, hits, trials = 6 / math.pi * math.asin(r / 2), 0, 200
    for trial in range(trials):
        first = random.normal(size=50)
        second = r * first + math.sqrt(1 - r * r) * random.normal(size=50)
        found = rank_correlation(first.tolist(), second.tolist(), resamples=300, seed=trial)
        hits += found.low <= truth <= found.high
    assert 0.90 * trials <= hits <= 0.99 * trials


def test_pairs_of_one_group_are_no_more_witnesses_than_one() -> None:
    random = np.random.default_rng(2)
    first = random.normal(size=20)
    second = first + random.normal(size=20)
    alone = rank_correlation(first.tolist(), second.tolist())
    thrice = [np.repeat(side, 3).tolist() for side in (first, second)]
    grouped = rank_correlation(*thrice, groups=np.repeat(np.arange(20), 3).tolist())
    fooled = rank_correlation(*thrice)
    assert (grouped.count, grouped.groups) == (60, 20)
    assert grouped.value == pytest.approx(alone.value)
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high))
    assert fooled.high - fooled.low < 0.75 * (grouped.high - grouped.low)


def test_what_cannot_be_put_in_order() -> None:
    with pytest.raises(InputError, match="got 2 pairs; expected at least 3"):
        rank_correlation([1, 2], [1, 2])
    with pytest.raises(InputError, match="got 3 and 2 values"):
        rank_correlation([1, 2, 3], [1, 2])
