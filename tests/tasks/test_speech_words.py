"""From outputs to words, and words beside what is said: by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from peephole.data.speech.spelling import Spelling
from peephole.tasks.speech.answer import Word
from peephole.tasks.speech.metrics import Compared, by_speaker, distance
from peephole.tasks.speech.settings import SpeechSearch
from peephole.tasks.speech.words import Reading

pytest.importorskip("jiwer")

LETTERS = Spelling("characters", (" ", "a", "b", "c"))
PIECES = Spelling("pieces", ("▁a", "b", "▁c"))
WORDS = Spelling("words", ("one", "two"))


def outputs(path: str, symbols: str, sure: float = 0.9) -> NDArray[np.float32]:
    """Log-probabilities `[T, V]` of a path, `-` being the blank and first of the symbols."""
    shares = np.full((len(path), len(symbols)), (1 - sure) / (len(symbols) - 1))
    shares[np.arange(len(path)), [symbols.index(one) for one in path]] = sure
    return np.log(shares).astype(np.float32)


def reading(spelling: Spelling, beams: int) -> Reading:
    return Reading(spelling, 0.1, SpeechSearch(beams=beams, least=0.0))


@pytest.mark.parametrize("beams", [0, 8])
def test_letters_become_words_with_times(beams: int) -> None:
    words = reading(LETTERS, beams).words(outputs("--aab- -c-c--", "- abc"))
    assert [word.text for word in words] == ["ab", "cc"]
    assert [(round(word.start, 3), round(word.end, 3)) for word in words] == [(0.2, 0.5), (0.8, 1.1)]
    assert [word.confidence for word in words] == pytest.approx([0.81, 0.81], rel=1e-5)


@pytest.mark.parametrize("beams", [0, 8])
def test_pieces_and_words(beams: int) -> None:
    assert [word.text for word in reading(PIECES, beams).words(outputs("1-22-31", "-123"))] == ["ab", "c", "a"]
    assert [word.text for word in reading(WORDS, beams).words(outputs("1-12--", "-12"))] == ["one", "one", "two"]
    assert reading(WORDS, beams).words(outputs("----", "-12")) == []


@pytest.mark.parametrize("beams", [0, 8])
@pytest.mark.parametrize("spelling", [LETTERS, PIECES, WORDS])
def test_words_that_come_are_those_of_the_whole(beams: int, spelling: Spelling) -> None:
    random = np.random.default_rng(beams)
    for _ in range(3):
        path = "".join(str(random.integers(0, len(spelling))) + "0" * int(random.integers(0, 3)) for _ in range(20))
        logs = outputs(path, "01234"[: len(spelling)])
        heard, found = reading(spelling, beams).begin(), list[Word]()
        for start in range(0, len(logs), 3):
            found += heard.add(logs[start : start + 3])
        early = len(found)
        found += heard.end()
        assert found == reading(spelling, beams).words(logs)
        assert [word.start for word in found] == sorted(word.start for word in found)
        assert early, "something is known before the end"


def test_errors_by_hand() -> None:
    said, heard = ["one two three", "one"], ["one too three four", ""]
    found = Compared.of(said, heard)
    assert found.metrics["word error %"] == pytest.approx(3 / 4)
    shares = [found.metrics[name] for name in ("substituted %", "left out %", "added %")]
    assert shares == pytest.approx([1 / 4, 1 / 4, 1 / 4])
    assert found.metrics["without a mistake %"] == 0.0
    assert found.right == (True, False, True, False)
    assert dict(found.confusions) == {("two", "too"): 1, ("(nothing)", "four"): 1, ("one", "(nothing)"): 1}
    table = by_speaker(said, heard, ["anna", None])
    assert table is not None
    assert table.rows == (("anna", "1", "66.67%", "46.15%"),)
    assert by_speaker(said, heard, [None, None]) is None


def test_distance_of_units() -> None:
    assert distance([[1, 2, 3], [], [4]], [[1, 3], [7, 7], [4]]) == 3
    assert distance([[]], [[]]) == 0
    assert distance([[12]], [[1, 2]]) == 2, "units are no digits"
