"""What is held out: disjoint parts, as large a share of each label."""

import numpy as np
import pytest

from peephole.data.classification.splitting import held_out
from peephole.errors import InputError

LABELS = ["a"] * 30 + ["b"] * 10 + ["c"]


def test_folds_are_disjoint_and_together_all_but_what_is_single() -> None:
    parts = [held_out(LABELS, 0.1, 4, fold, seed=3) for fold in range(4)]
    assert np.sum(parts, axis=0).tolist() == [1] * 40 + [0]
    assert [int(part.sum()) for part in parts] == [10, 10, 10, 10]
    assert all(7 <= part[:30].sum() <= 8 and 2 <= part[30:40].sum() <= 3 for part in parts)


def test_a_share_of_each_label_drawn_by_the_seed() -> None:
    part = held_out(LABELS, 0.2, 0, 0, seed=0)
    assert (part[:30].sum(), part[30:40].sum(), part[40]) == (6, 2, False)
    assert (held_out(LABELS, 0.2, 0, 0, seed=0) == part).all()
    assert (held_out(LABELS, 0.2, 0, 0, seed=1) != part).any()


def test_nothing_or_too_little() -> None:
    assert not held_out(LABELS, 0.0, 0, 0, seed=0).any()
    with pytest.raises(InputError, match="no sequence to hold out among 2"):
        held_out(["a", "b"], 0.1, 0, 0, seed=0)


def test_a_label_is_never_held_out_whole() -> None:
    part = held_out(["a", "a", "b", "b"], 0.9, 0, 0, seed=0)
    assert sorted([int(part[:2].sum()), int(part[2:].sum())]) in ([0, 1], [1, 1])
