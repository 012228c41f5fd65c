"""Sums of words, words that are not there, and two sets of vectors side by side."""

import json
from difflib import get_close_matches

import numpy as np
import pytest
from matplotlib.figure import Figure

from peephole.embed.measuring.beside import measure_beside
from peephole.embed.measuring.expressions import Expression, nearest
from peephole.embed.spelling import spelled_like
from peephole.embed.vectors import Vectors, unit
from peephole.errors import InputError


def named(rows: np.ndarray, first: int = 0) -> Vectors:
    return Vectors(tuple(f"w{place + first}" for place in range(len(rows))), rows.astype(np.float32))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", []),
        ("a b", ["a", "b"]),
        ("a - b + c d", ["a - b + c", "d"]),
        ("- a − b", ["-", "a - b"]),
        ("+", ["+"]),
        ("a + a", ["a + a"]),
    ],
)
def test_sums_are_read(words: str, found: list[str]) -> None:
    assert [str(one) for one in Expression.read(words.split())] == found


@pytest.mark.parametrize("words", ["a -", "a - + b", "a b +"])
def test_sums_without_an_end(words: str) -> None:
    with pytest.raises(InputError, match="no word after the"):
        Expression.read(words.split())


def test_the_nearest_to_a_sum() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 6))
    vectors = named(rows)
    (asked,) = Expression.read(["w1", "-", "w2", "+", "w3"])
    directions = unit(rows)
    scores = directions @ (directions[1] - directions[2] + directions[3])
    expected = [place for place in np.argsort(-scores) if place not in (1, 2, 3)]
    found = nearest(vectors, asked, 5)
    assert [one.word for one in found] == [f"w{place}" for place in expected[:5]]
    length = np.linalg.norm(directions[1] - directions[2] + directions[3])
    assert found[0].cosine == pytest.approx(scores[expected[0]] / length, abs=1e-6)
    assert len(nearest(vectors, asked, 100)) == 37
    assert nearest(vectors, Expression.read(["w5"])[0], 3) == vectors.nearest("w5", 3)
    (nothing,) = Expression.read(["w1", "-", "w1"])
    assert nearest(vectors, nothing, 1)[0].cosine == 0
    with pytest.raises(InputError, match="'w99' is not among the 40"):
        nearest(vectors, Expression.read(["w1", "+", "w99"])[0])


def test_spelled_much_alike_is_what_difflib_finds() -> None:
    random = np.random.default_rng(1)
    words = ["".join(random.choice(list("aeinrst"), random.integers(1, 9))) for _ in range(800)]
    words = list(dict.fromkeys(words))
    for asked in (*words[:20], "stern", "resin", "x", "a"):
        expected = get_close_matches(asked, words, 1, cutoff=0.7)
        assert spelled_like(asked, words, 1) == expected or {
            round(_ratio(asked, one), 9) for one in (*expected, *spelled_like(asked, words, 1))
        } == {round(_ratio(asked, expected[0]), 9)}  # another one as near
    assert spelled_like("PARIS", ["parish", "Paris", "rome"]) == ["Paris", "parish"]
    assert spelled_like("", ["a", ""]) == []
    assert spelled_like("zzz", ["king", ""]) == []
    assert spelled_like("king", ()) == []


def _ratio(word: str, other: str) -> float:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, other, word).ratio()


def test_turned_vectors_have_the_same_neighbours() -> None:
    random = np.random.default_rng(2)
    rows = random.normal(size=(300, 8))
    turn, _ = np.linalg.qr(random.normal(size=(8, 8)))
    found = measure_beside(named(rows), named((rows @ turn)[::-1].copy()))
    assert (found.common, found.cosine is not None) == (300, True)
    other = Vectors(tuple(f"w{place}" for place in reversed(range(300))), (rows @ turn)[::-1].astype(np.float32))
    same = measure_beside(named(rows), other)
    assert same.shared.min() == 1.0
    assert same.cosine is not None
    assert abs(same.cosine) < 0.5
    assert found.shared.mean() == pytest.approx(found.chance, abs=0.02)


def test_vectors_of_another_size_and_other_words() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(100, 6))
    wider = np.concatenate([rows[20:], random.normal(size=(80, 3)) * 1e-3], 1)
    found = measure_beside(named(rows), named(wider, 20), count=5)
    assert (found.words, found.numbers, found.common, found.cosine) == ((100, 80), (6, 9), 80, None)
    assert found.shared.mean() > 0.95
    assert found.rows[-1] == ("cosine of a word's two vectors", "cannot be taken: 6 numbers a word and 9")
    assert "both name 5.0" in found.verdict
    assert json.loads(json.dumps(found.as_dict()))["cosine"] is None
    found.plot(Figure().subplots())
    with pytest.raises(InputError, match="0 words of 100 and 80 are spelled the same in both"):
        measure_beside(named(rows), named(wider, 200))
