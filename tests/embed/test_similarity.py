"""Similarity sets: order on vectors whose cosines are known, and files of every make."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from peephole.embed.measuring.similarity import Pair, measure_similarity, read_pairs
from peephole.embed.vectors import Vectors
from peephole.errors import InputError

ANGLES = np.radians([0, 10, 25, 45, 70, 100])
FAN = Vectors(tuple("abcdef"), np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1).astype(np.float32))


def test_the_order_of_people_and_of_cosines() -> None:
    agreeing = [Pair("A", other, 10.0 - number) for number, other in enumerate("bcdef")]
    found = measure_similarity(FAN, {"same": agreeing, "reverse": [Pair(a.first, a.second, -a.score) for a in agreeing],
                                     "few": [Pair("a", "b", 1.0), Pair("a", "zz", 2.0)]})  # fmt: skip
    same, reverse, few = found.sets
    assert (same.correlation, reverse.correlation) == (pytest.approx(1.0), pytest.approx(-1.0))
    assert (few.correlation, few.known, few.pairs) == (None, 1, 2)
    assert same.cosines == pytest.approx(np.cos(ANGLES[1:]), abs=1e-6)
    assert found.rows == (("same", "1.000 (chance ± 0.50)", "5 of 5"), ("reverse", "-1.000 (chance ± 0.50)", "5 of 5"),
                          ("few", "-", "1 of 2"))  # fmt: skip
    assert "Spearman's 1.000 on same, -1.000 on reverse; both words of 11 of 12 pairs" in found.verdict
    assert json.loads(json.dumps(found.as_dict()))["sets"][2] == {
        "name": "few",
        "pairs": 2,
        "known": 1,
        "spearman": None,
    }
    ax = Figure().subplots()
    found.plot(ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["reverse", "same"]


def test_equal_scores_share_their_rank() -> None:
    pairs = [Pair("a", other, score) for other, score in zip("bcdef", (3.0, 3.0, 2.0, 2.0, 2.0), strict=True)]
    # ranks 4.5 4.5 2 2 2 beside 5 4 3 2 1: covariance 7.5, squares 7.5 and 10
    found = measure_similarity(FAN, {"ties": pairs}).sets[0].correlation
    assert found == pytest.approx(7.5 / np.sqrt(7.5 * 10))
    assert measure_similarity(FAN, {"all": [Pair(a.first, a.second, 1.0) for a in pairs]}).sets[0].correlation is None


def test_nothing_known() -> None:
    with pytest.raises(
        InputError, match=r"1 of 2 pairs have both words among the 6 words of the vectors \(the first: a b\)"
    ):
        measure_similarity(FAN, {"few": [Pair("a", "b", 1.0), Pair("a", "zz", 2.0)]})


@pytest.mark.parametrize(
    "content",
    ["a\tb\t1\r\nc\td\t2.5\r\n", "# said by people\na b 1\n\nc  d   2.5\n",
     "Word 1,Word 2,Human (mean)\na,b,1\nc, d ,2.5\n", "\ufeffword1\tword2\tscore\na\tb\t1.0\nc\td\t2.5",
     "w1;w2;s\na;b;1\nc;d;2.5\n"],
)  # fmt: skip
def test_files_of_every_make(tmp_path: Path, content: str) -> None:
    path = tmp_path / "set.txt"
    path.write_text(content, encoding="utf-8", newline="")
    assert read_pairs(path) == (Pair("a", "b", 1.0), Pair("c", "d", 2.5))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no pair of words in it"),
        ("# nothing\n", "no pair of words in it"),
        ("a b 1\nc d\n", "line 2 is 'c d'"),
        ("a b 1\nc d e\n", "line 2 is 'c d e'"),
        ("a b c\nd e f\n", "line 2 is 'd e f'"),
        ("a b 1 2\n", "line 1 is 'a b 1 2'"),
        ("a b nan\n", "line 1 is 'a b nan'"),
        ("a\t\t1\n", "line 1 is"),
    ],
)
def test_lines_that_are_no_pairs(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "set.txt"
    path.write_text(content)
    with pytest.raises(InputError) as error:
        read_pairs(path)
    assert said in str(error.value)
