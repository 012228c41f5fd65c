"""Counts to probabilities: interpolated modified Kneser-Ney."""

from collections.abc import Iterator

import numpy as np

from peephole.models.ngram.counting import Counted
from peephole.models.ngram.discounts import Discounts
from peephole.models.ngram.level import Level


def smoothed(counted: Iterator[Counted], vocabulary_size: int, never: int) -> Iterator[tuple[Level, Discounts]]:
    """Counts of each length, from 1 on, as probabilities interpolated with those of the length before."""
    shorter = np.array([1 / (vocabulary_size - never)])
    for each in counted:
        discounts = Discounts.of(each.counts)
        taken = discounts.amounts(each.counts)
        owners = (each.keys // vocabulary_size).astype(np.int32)
        totals = np.bincount(owners, weights=each.counts, minlength=each.contexts)
        weights = np.ones(each.contexts)
        np.divide(np.bincount(owners, weights=taken, minlength=each.contexts), totals, out=weights, where=totals > 0)
        probabilities = each.counts - taken
        del taken
        probabilities /= totals[owners]
        probabilities += weights[owners] * shorter[each.suffixes]
        yield Level(each.keys, probabilities, weights), discounts
        shorter = probabilities
