"""Quotes, comments and brackets of a text, character by character, as a person or a compiler reads them."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peephole.units.syntax import Syntax

OPENING, CLOSING = "([{", ")]}"
PAIRED = {"“": "”", "„": "“”", "«": "»", "「": "」"}  # quotes that open and close by different characters
State = tuple[bool, bool, bool, int]
END = "␄"  # stands for the end of a document, after which everything starts anew
BRACKETS = r"()\[\]{}"
EVENTS: dict[Syntax, str] = {  # the characters that may change anything
    "prose": f'["{BRACKETS}\n{END}{"".join(PAIRED)}{"".join(PAIRED.values())}]',
    "hash": f"[#'\"{BRACKETS}\\\\\n{END}]",
    "slashes": f"[/*'\"{BRACKETS}\\\\\n{END}]",
}


@dataclass(frozen=True, eq=False)
class Scanned:
    """After each character `[N]`: whether the text is in quotes, in threefold ones (which in code run over many lines),
    or in a comment, and how deep in brackets.
    """

    quoted: NDArray[np.bool_]
    threefold: NDArray[np.bool_]
    comment: NDArray[np.bool_]
    depth: NDArray[np.int64]


def scan(text: str, syntax: Syntax) -> Scanned:
    """Read a text from its beginning.

    The opening quote is inside, the closing one no more; likewise brackets, `/*` and `#`. In code backslashes escape,
    quotes of one character and # or // end with their line, and brackets count outside of strings and comments. In
    prose an apostrophe is no quote, and what a quote left open ends with its paragraph, as a new one opens it again.
    """
    reader = _Prose() if syntax == "prose" else _Code(syntax == "slashes")
    counts, states, place = list[int](), list[State](), 0
    for event in re.finditer(EVENTS[syntax], text):
        start = event.start()
        if start < place:  # taken together with the character before it
            continue
        counts.append(start - place)
        states.append(reader.state)
        counts.append(reader.take(text, start))
        states.append(reader.state)
        place = start + counts[-1]
    counts.append(len(text) - place)
    states.append(reader.state)
    found = np.repeat(np.array(states, dtype=np.int64), counts, axis=0)
    quoted, threefold, comment = found[:, :3].astype(bool).T
    return Scanned(quoted, threefold, comment, found[:, 3])


class _Prose:
    """Where in prose it is. `closing` are the characters that end the quote, empty outside."""

    def __init__(self) -> None:
        self.closing, self.depth = "", 0

    @property
    def state(self) -> State:
        """As in `Scanned`."""
        return bool(self.closing), False, False, self.depth

    def take(self, text: str, place: int) -> int:
        """Read one of `EVENTS`; how many characters were taken."""
        character = text[place]
        if character == END or (character == "\n" and text[place - 1 : place] == "\n"):
            self.closing = ""
        if character == END:
            self.depth = 0
        elif self.closing:
            self.closing = "" if character in self.closing else self.closing
        elif character == '"' or character in PAIRED:
            self.closing = PAIRED.get(character, character)
        self.depth = _depth(self.depth, character)
        return 1


class _Code:
    """Where in code it is. `closing` is what ends the string, empty outside; `comment_end` what ends the comment."""

    def __init__(self, slashes: bool) -> None:
        self.slashes = slashes
        self.closing, self.comment_end, self.depth = "", "", 0

    @property
    def state(self) -> State:
        """As in `Scanned`."""
        return len(self.closing) == 1, len(self.closing) == 3, bool(self.comment_end), self.depth

    def take(self, text: str, place: int) -> int:
        """Read one of `EVENTS` and what belongs together with it; how many characters were taken."""
        character = text[place]
        if character == END:
            self.closing, self.comment_end, self.depth = "", "", 0
            return 1
        if self.closing:
            return self._in_string(text, place)
        if self.comment_end:
            if text.startswith(self.comment_end, place):
                taken = len(self.comment_end)
                self.comment_end = ""
                return taken
            return 1
        if self.slashes and text.startswith(("//", "/*"), place):
            self.comment_end = "\n" if text[place + 1] == "/" else "*/"
            return 2
        if not self.slashes and character == "#":
            self.comment_end = "\n"
        elif character in "'\"":
            threefold = character * 3
            self.closing = threefold if not self.slashes and text.startswith(threefold, place) else character
            return len(self.closing)
        self.depth = _depth(self.depth, character)
        return 1

    def _in_string(self, text: str, place: int) -> int:
        if text[place] == "\\" and text[place + 1 : place + 2] not in ("", END):
            return 2
        if text.startswith(self.closing, place):
            taken, self.closing = len(self.closing), ""
            return taken
        if text[place] == "\n" and len(self.closing) == 1:  # an apostrophe, or a string that was never closed
            self.closing = ""
        return 1


def _depth(depth: int, character: str) -> int:
    return max(0, depth + (character in OPENING) - (character in CLOSING))
