"""Vectors of words: nearest ones, and measurements on vectors whose geometry is known."""

import json
import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from peephole.embed.measuring.geometry import measure
from peephole.embed.measuring.geometry_found import ONE_HOT
from peephole.embed.vectors import Vectors, unit
from peephole.errors import InputError


def named(rows: np.ndarray, counts: np.ndarray | None = None) -> Vectors:
    return Vectors(tuple(f"w{place}" for place in range(len(rows))), rows.astype(np.float32), counts)


def test_one_hot_vectors_are_what_the_lecture_says() -> None:
    found = measure(named(np.eye(16), np.arange(16, 0, -1)))
    assert np.allclose(found.distances, ONE_HOT, atol=1e-6)
    assert np.allclose(found.cosines, 0)
    assert np.allclose(found.lengths, 1)
    assert len(found.distances) == 16 * 15 // 2  # every pair, of so few
    assert found.filled == pytest.approx(1 / 16)
    assert found.effective == pytest.approx(15)  # one dimension is the mean's
    assert found.denser == 0.0
    assert found.density(16) == pytest.approx(math.log10(16 / 2**16))
    assert found.length_and_count is None  # all are as long


def test_a_plane_in_many_dimensions_counts_two() -> None:
    random = np.random.default_rng(0)
    flat = random.normal(size=(400, 2)) @ random.normal(size=(2, 50))
    found = measure(named(flat))
    assert found.effective <= 2.0 + 1e-6
    assert found.needed <= 2
    assert found.corners[0] == 8  # 400 words, 2^8 corners
    assert found.groups == ()
    assert found.length_and_count is None
    assert found.denser == pytest.approx((400 - 50) * math.log10(2))


def test_random_vectors_lie_as_chance_has_it() -> None:
    random = np.random.default_rng(1)
    found = measure(named(random.normal(size=(3000, 80))))
    low, high = np.quantile(found.distances, (0.05, 0.95))
    assert (low, high) == pytest.approx(tuple(np.quantile(found.chance, (0.05, 0.95))), abs=0.02)
    assert found.cosines.std() == pytest.approx(80**-0.5, rel=0.05)
    axes, used = found.corners
    assert used / 2**axes == pytest.approx(1 - math.exp(-3000 / 2**axes), abs=0.05)
    assert len(found.distances) == 200_000


def test_pairs_are_of_different_words() -> None:
    rows = np.repeat(np.eye(700), 1, axis=0)
    found = measure(named(rows))  # 244,650 pairs: drawn ones
    assert float(found.distances.min()) == pytest.approx(ONE_HOT, abs=1e-5)


def test_frequency_shows_in_lengths_and_neighbours() -> None:
    random = np.random.default_rng(2)
    counts = np.arange(900, 0, -1)
    directions = unit(random.normal(size=(900, 30)).astype(np.float32))
    directions[:300] = unit(directions[:300] + 2 * directions[:1])  # frequent words point one way
    found = measure(named(directions * counts[:, None], counts))
    assert found.length_and_count == pytest.approx(1.0)
    assert [group.name for group in found.groups] == ["frequent", "middling", "rare"]
    assert [(group.least, group.most) for group in found.groups] == [(601, 900), (301, 600), (1, 300)]
    assert found.groups[0].nearest > found.groups[2].nearest
    assert found.groups[0].length > found.groups[1].length > found.groups[2].length
    assert "longer vectors" in found.verdict


def test_nearest_by_brute_force() -> None:
    rows = np.random.default_rng(3).normal(size=(50, 7))
    vectors = named(rows)
    expected = sorted(
        (float(rows[4] @ row / np.linalg.norm(rows[4]) / np.linalg.norm(row)), f"w{place}")
        for place, row in enumerate(rows)
        if place != 4
    )[::-1]
    found = vectors.nearest("w4", 6)
    assert [one.word for one in found] == [word for _, word in expected[:6]]
    assert [one.cosine for one in found] == pytest.approx([cosine for cosine, _ in expected[:6]], abs=1e-6)
    assert len(vectors.nearest("w4", 1000)) == 49


def test_a_word_that_is_not_there_is_answered_with_those_spelled_like_it() -> None:
    vectors = Vectors(("king", "queen", "kings"), np.eye(3, dtype=np.float32))
    with pytest.raises(InputError, match=r"'kingz' is not among the 3 .* spelled much like it: king, kings$"):
        vectors.nearest("kingz")
    with pytest.raises(InputError, match="and none is spelled much like it"):
        vectors.place("zzz")
    with pytest.raises(InputError, match="0 neighbours"):
        vectors.nearest("king", 0)


def test_vectors_that_are_none() -> None:
    with pytest.raises(InputError, match="expected a row a word"):
        named(np.zeros((3, 2))).__class__(("a",), np.zeros((3, 2), np.float32))
    with pytest.raises(InputError, match="not finite"):
        named(np.array([[1.0, np.nan]]))
    with pytest.raises(InputError, match="the length 0"):
        measure(named(np.zeros((9, 2))))
    with pytest.raises(InputError, match="3 words"):
        measure(named(np.eye(3)))


def test_it_draws_and_says_itself() -> None:
    found = measure(named(np.random.default_rng(4).normal(size=(60, 5)), np.arange(60, 0, -1)))
    found.plot(Figure().subplots())
    assert json.loads(json.dumps(found.as_dict()))["projected"]["dimensions"] == 5
    assert found.rows[0] == ("dimensions", "60", "5")
