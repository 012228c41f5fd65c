"""Units of transcripts: what is learnt, and texts as numbers and back."""

import json

import pytest

from peephole.data.speech.config import SpeechData
from peephole.data.speech.spelling import Spelling
from peephole.errors import InputError

SAID = ("the cat sat", "the hat", "a cat that sat", "the cat")


@pytest.mark.parametrize("units", ["characters", "words", "pieces"])
def test_there_and_back(units: str) -> None:
    data = SpeechData(units=units, vocabulary=16)  # pyright: ignore[reportArgumentType]
    spelling = Spelling.learn(SAID, data)
    for text in SAID:
        numbers = spelling.numbers(text)
        assert numbers.min() >= 1, "0 is the blank"
        assert numbers.max() < len(spelling)
        assert spelling.text(numbers.tolist()) == text
        assert "".join(spelling.pieces[number] for number in numbers).strip() == text
        assert not spelling.unknown(text)
    assert Spelling.from_dict(json.loads(json.dumps(spelling.as_dict()))) == spelling


def test_pieces_are_longer_than_characters_and_few() -> None:
    spelling = Spelling.learn(SAID, SpeechData(units="pieces", vocabulary=16))
    assert len(spelling.symbols) <= 16
    assert len(spelling.numbers("the cat sat")) < len("the cat sat")


def test_what_is_rare_or_new_is_none_of_the_units() -> None:
    spelling = Spelling.learn(SAID, SpeechData(units="words", min_count=2))
    assert spelling.symbols == ("cat", "sat", "the")
    assert spelling.text(spelling.numbers("the dog sat that").tolist()) == "the sat"
    assert spelling.unknown("the dog sat that") == ["dog", "that"]
    letters = Spelling.learn(SAID, SpeechData())
    assert letters.text(letters.numbers("the dog").tolist()) == "the"
    assert letters.unknown("the dog") == ["d", "o", "g"]
    pieces = Spelling.learn(SAID, SpeechData(units="pieces", vocabulary=16))
    assert pieces.unknown("the dog") == ["d", "o", "g"]
    assert pieces.text(pieces.numbers("the dog").tolist()) == "the"


def test_nothing_frequent_enough() -> None:
    for units, kind in (("words", "word"), ("characters", "character"), ("pieces", "character")):
        data = SpeechData(units=units, min_count=90)  # pyright: ignore[reportArgumentType]
        with pytest.raises(InputError, match=f"no {kind} stands 90 times in the transcripts"):
            Spelling.learn(SAID, data)
