"""Properties of a text for nets that read words: what a person can see in it at each word, as a number.

Each is a number a character like the others, of which the last one of a token is taken: what a word is by then.
"""

import re

import numpy as np
from numpy.typing import NDArray

from peephole.units.properties import PROPERTIES, Numbers, Property, Text
from peephole.units.scanning import END

SHARED = ("inside quotes", "bracket depth")
CLOSING = r"(?: ?[\"'”’»)\]}])*"  # quotes and brackets that may stand between a mark and the next sentence
ENDS = {  # of a sentence, in text whose marks stand apart, and in other text
    True: re.compile(rf"(?<=\s)[.!?…]{CLOSING}(?=\s)|[。！？\n{END}]"),
    False: re.compile(rf"[.!?…]{CLOSING}(?=\s)|[。！？\n{END}]"),
}


def capital(text: Text) -> Numbers:
    """Whether the word begins with a capital letter."""
    begins = _begins(text)
    first = np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))
    return text.where(str.isupper)[first].astype(np.float64) if len(first) else np.zeros(0)


def number(text: Text) -> Numbers:
    """Whether a digit stands in the word."""
    return (_within(text, text.where(str.isdigit)) > 0).astype(np.float64)


def mark(text: Text) -> Numbers:
    """Whether it is no word but a mark: neither letters nor digits."""
    blank = text.where(_between)
    return ((_within(text, text.where(str.isalnum)) == 0) & ~blank).astype(np.float64)


def length(text: Text) -> Numbers:
    """Characters of the word, 0 between words."""
    return np.where(text.where(_between), 0.0, _within(text, ~text.where(_between)))


def position_in_line(text: Text) -> Numbers:
    """Words since the line began, 0 at its break."""
    return _counted(text, text.where(lambda one: one in ("\n", END)))


def position_in_sentence(text: Text) -> Numbers:
    """Words since the sentence began, its end counted with it."""
    return _counted(text, _breaks(text))


def length_of_sentence(text: Text) -> Numbers:
    """Words of the whole sentence, at each of its characters."""
    breaks = _breaks(text)
    number_of = np.concatenate([[0], np.cumsum(breaks)[:-1]]) if len(breaks) else np.zeros(0, np.int64)
    counts = np.bincount(number_of, weights=_begins(text)) if len(breaks) else np.zeros(0)
    return counts[number_of].astype(np.float64)


WORD_PROPERTIES = (
    *(one for one in PROPERTIES if one.name in SHARED),
    Property("capital letter", capital),
    Property("number", number),
    Property("mark", mark),
    Property("length of the word", length),
    Property("position in the sentence", position_in_sentence),
    Property("length of the sentence", length_of_sentence),
    Property("position in the line", position_in_line),
)


def properties_for(unit: str) -> tuple[Property, ...]:
    """Those that are looked for in what a net reads that is over characters, words or pieces."""
    return WORD_PROPERTIES if unit == "words" else PROPERTIES


def _between(character: str) -> bool:
    return character.isspace() or character == END


def _begins(text: Text) -> NDArray[np.bool_]:
    """Where a word begins, `[N]`."""
    blank = text.where(_between)
    return ~blank & np.concatenate([[True], blank[:-1]])


def _within(text: Text, what: NDArray[np.bool_]) -> Numbers:
    """How many of the characters since the word began are `what`."""
    counted, begins = np.cumsum(what), _begins(text)
    before = np.maximum.accumulate(np.where(begins, counted - what, 0))
    return (counted - before).astype(np.float64)


def _breaks(text: Text) -> NDArray[np.bool_]:
    """The last character of each sentence, `[N]`."""
    found = np.zeros(len(text.text), dtype=bool)
    for match in ENDS[" . " in text.text].finditer(text.text):
        found[match.end() - 1] = True
    return found


def _counted(text: Text, breaks: NDArray[np.bool_]) -> Numbers:
    """Words begun since what stands after the last break."""
    begun = np.cumsum(_begins(text))
    after = np.concatenate([[False], breaks[:-1]])  # the break itself belongs to what it ends
    before = np.maximum.accumulate(np.where(after, np.concatenate([[0], begun[:-1]]), 0))
    return np.where(text.where(lambda one: one in ("\n", END)), 0.0, begun - before)
