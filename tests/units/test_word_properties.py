"""Properties of words: what stands in a text, taken at the last character of each word."""

import numpy as np
import pytest

from peephole.units.properties import Text
from peephole.units.word_properties import WORD_PROPERTIES, properties_for

TEXT = ' The cat ( 2 dogs ) said , " Mr. Fox " . A mark\nnew line'


def at_words(name: str, text: str) -> list[float]:
    """The property at each word's end."""
    values = next(one for one in WORD_PROPERTIES if one.name == name).values(Text.of(text, "prose"))
    assert len(values) == len(text)
    ends = [
        place for place in range(len(text)) if not text[place].isspace() and text[place + 1 : place + 2].strip() == ""
    ]
    return [float(values[end]) for end in ends]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("capital letter", [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0]),
        ("number", [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("mark", [0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0]),
        ("length of the word", [3, 3, 1, 1, 4, 1, 4, 1, 1, 3, 3, 1, 1, 1, 4, 3, 4]),
        ("position in the sentence", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 1, 2, 1, 2]),
        ("length of the sentence", [13] * 13 + [2, 2, 2, 2]),
        ("position in the line", [*range(1, 16), 1, 2]),
        ("inside quotes", [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]),
        ("bracket depth", [0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_properties_at_the_end_of_each_word(name: str, expected: list[float]) -> None:
    assert at_words(name, TEXT) == pytest.approx(expected)


def test_marks_that_are_attached_end_sentences_too() -> None:
    assert at_words("position in the sentence", "It is 3.5 so. Good") == [1, 2, 3, 4, 1]


@pytest.mark.parametrize("text", ["", "a", " ", "\n\n", "a." * 40])
def test_odd_texts(text: str) -> None:
    for one in WORD_PROPERTIES:
        values = one.values(Text.of(text, "prose"))
        assert len(values) == len(text)
        assert np.isfinite(values).all()


def test_each_kind_of_tokens_has_its_properties() -> None:
    assert properties_for("words") is WORD_PROPERTIES
    assert properties_for("characters") is properties_for("pieces")
