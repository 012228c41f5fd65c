"""Discounts: Chen and Goodman's equation 26 by hand, and what happens where it cannot be worked out."""

import numpy as np

from peephole.models.ngram import Discounts


def counted(*numbers: int) -> Discounts:
    """So many n-grams counted once, twice, three times and so on."""
    return Discounts.of(np.repeat(np.arange(1, len(numbers) + 1, dtype=np.int32), numbers))


def test_three_discounts_by_hand() -> None:
    found = counted(100, 50, 30, 20, 7)  # Y = 100 / 200
    assert found.source == "modified"
    expected = 0.5, 2 - 1.5 * 30 / 50, 3 - 2 * 20 / 30
    assert np.abs(np.subtract((found.once, found.twice, found.more), expected)).max() <= 1e-12


def test_one_discount_where_three_cannot_be() -> None:
    for numbers in [(100, 50, 30), (100, 50, 0, 20), (100, 50, 30, 9), (9, 50, 30, 20), (20, 10, 300, 20), (100, 50)]:
        found = counted(*numbers)
        assert found.source == "single"
        assert found.once == found.twice == found.more == numbers[0] / (numbers[0] + 2 * numbers[1])
        assert 0 < found.once < 1


def test_a_half_where_none_can_be() -> None:
    for numbers in [(), (100,), (0, 50), (0, 0, 0, 0, 80), (100, 0, 30, 20)]:
        assert counted(*numbers) == Discounts(0.5, 0.5, 0.5, "fixed")


def test_amounts() -> None:
    found = Discounts(0.25, 0.5, 1.5, "modified")
    assert found.amounts(np.array([0, 1, 2, 3, 4, 1000])).tolist() == [0, 0.25, 0.5, 1.5, 1.5, 1.5]
