"""Properties of a text: what a person can see in it at each character, as a number."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peephole.units.scanning import END, Scanned, scan
from peephole.units.syntax import Syntax

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Text:
    """A text whose documents end with ␄. `scanned` are its quotes, comments and brackets."""

    text: str
    syntax: Syntax
    scanned: Scanned

    @staticmethod
    def of(text: str, syntax: Syntax) -> "Text":
        """Scan it."""
        return Text(text, syntax, scan(text, syntax))

    def where(self, holds: Callable[[str], bool]) -> NDArray[np.bool_]:
        """The characters of which something holds, `[N]`; asked once for each kind of character."""
        codes = np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        kinds, which = np.unique(codes, return_inverse=True)
        return np.array([holds(chr(code)) for code in kinds.tolist()], dtype=bool)[which.reshape(-1)]


@dataclass(frozen=True, eq=False)
class Property:
    """`values(text)` is a number for each character `[N]`, once that character was read; truth is 1. `pattern` is the
    regular expression that it came from.
    """

    name: str
    values: Callable[[Text], Numbers]
    pattern: str | None = None


def position_in_line(text: Text) -> Numbers:
    """Characters since the line began, 0 at its break."""
    return _since(text.where(lambda one: one in ("\n", END)))


def position_in_word(text: Text) -> Numbers:
    """Letters, digits and _ since the word began, 0 between words."""
    return _since(~text.where(_of_words))


def length_of_word(text: Text) -> Numbers:
    """Of the whole word at each of its characters, 0 between words."""
    between, places = ~text.where(_of_words), np.arange(len(text.text))
    following = np.minimum.accumulate(np.where(between, places, len(places))[::-1])[::-1]  # the next break
    return np.where(between, 0.0, _since(between) + following - 1 - places)


def indentation(text: Text) -> Numbers:
    """Blanks at the beginning of the line as far as it was read, 0 at its break."""
    breaks = text.where(lambda one: one in ("\n", END))
    blank = text.where(str.isspace) & ~breaks
    seen = np.cumsum(~blank)  # what is no blank; its number at the last break says how many stood before the line
    before = np.maximum.accumulate(np.where(breaks, seen, 0))
    leading = blank & (seen == before)
    counted = np.cumsum(leading)
    return (counted - np.maximum.accumulate(np.where(breaks, counted, 0))).astype(np.float64)


PROPERTIES = (
    Property("inside quotes", lambda text: text.scanned.quoted.astype(np.float64)),
    Property("inside triple quotes", lambda text: text.scanned.threefold.astype(np.float64)),
    Property("inside a comment", lambda text: text.scanned.comment.astype(np.float64)),
    Property("bracket depth", lambda text: text.scanned.depth.astype(np.float64)),
    Property("indentation of the line", indentation),
    Property("position in the line", position_in_line),
    Property("position in the word", position_in_word),
    Property("length of the word", length_of_word),
    Property("digit", lambda text: text.where(str.isdigit).astype(np.float64)),
    Property("capital letter", lambda text: text.where(str.isupper).astype(np.float64)),
    Property("blank", lambda text: text.where(str.isspace).astype(np.float64)),
)


def _of_words(character: str) -> bool:
    return character.isalnum() or character == "_"


def _since(breaks: NDArray[np.bool_]) -> Numbers:
    """Characters since the last break, 0 at one."""
    places = np.arange(len(breaks))
    last = np.maximum.accumulate(np.where(breaks, places, -1))
    return (places - last).astype(np.float64)
