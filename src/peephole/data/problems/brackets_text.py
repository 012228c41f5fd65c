"""Text like code, written row by row: brackets that nest, and strings and comments in which brackets do not count."""

import string
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAIRS = ("{}", "()", "[]")
SIGNS = ";,.=+-*/<>"
DELIMITERS = '"/*\n'  # a string, a comment to the end of the line, a comment to its own end
GAPS = (2, 4, 8, 16, 32)  # characters of code between two pieces are fewer than one of these, another one each row
LONGEST = 16  # characters of a string or a comment, its delimiters included
GROUPS = 0.5  # share of the pieces that are brackets, where they may nest further


def alphabet(kinds: int) -> str:
    """Every character there can be, with so many kinds of brackets."""
    plain = string.ascii_lowercase + string.digits + " " + SIGNS
    return "".join(dict.fromkeys(plain + DELIMITERS + "".join(PAIRS[:kinds])))


@dataclass(frozen=True, eq=False)
class Text:
    """Rows of text with what is open in them, `[B, T]` each.

    Attributes:
        codes: the characters' code points.
        open: kind of the innermost bracket that is open after the character, as a place in `PAIRS`; `kinds` for none.
        asks: whether a bracket that counts follows which closes another, or which opens where nothing is open.
    """

    codes: NDArray[np.uint8]
    open: NDArray[np.int64]
    asks: NDArray[np.bool_]


class Writer:
    """Writes `rows` rows of `steps` characters: code without brackets at first, over which pieces are put."""

    def __init__(self, random: np.random.Generator, rows: int, steps: int, kinds: int, depth: int) -> None:
        self._kinds, self._depth = kinds, depth
        self._numbers = _numbers(random)
        brackets = "".join(PAIRS[:kinds]) * (6 // kinds)
        words = string.ascii_lowercase + " " * 6
        self._code = _drawn(random, words * 2 + string.digits + SIGNS + "\n" * 2, rows, steps)
        self._inside = {  # what may stand in a string, and in either comment
            '""': _drawn(random, words + brackets * 2 + "/*", rows, steps),
            "//": _drawn(random, words + brackets * 2 + "/*" + '"' * 4, rows, steps),
            "/*": _drawn(random, words + brackets * 2 + "/*\n" + '"' * 4, rows, steps),
        }
        self._fixed = np.zeros((rows, steps), dtype=bool)  # where a delimiter or a bracket stands
        self._block = np.zeros((rows, steps), dtype=bool)
        self._gaps = [GAPS[self.below(len(GAPS))] for _ in range(rows)]
        self._open = np.full((rows, steps), kinds, dtype=np.int64)
        self._asks = np.zeros((rows, steps), dtype=bool)

    def below(self, limit: int) -> int:
        """A whole number, 0 to limit − 1."""
        return int(next(self._numbers) * limit)

    def enter(self, row: int, before: int, level: int, longest: int | None = None) -> None:
        """The text up to step `before`, where `level` brackets are open that stay open; it needs as many steps."""
        places: set[int] = set()
        while len(places) < level:
            places.add(self.below(before))
        first = 0
        for depth, place in enumerate(sorted(places)):
            self.fill(row, first, place, depth, longest)
            self._opens(row, place, self._code.shape[1], depth)
            first = place + 1
        self.fill(row, first, before, level, longest)

    def group(self, row: int, first: int, distance: int, level: int) -> None:
        """A bracket at step `first` that closes `distance` steps later, and what is in it; `level` are open before."""
        last = first + distance
        kind = self._opens(row, first, last, level)
        if last < self._code.shape[1]:
            self._put(row, last, PAIRS[kind][1])
        self._asks[row, last - 1] = True
        self.fill(row, first + 1, last, level + 1)

    def _opens(self, row: int, first: int, last: int, level: int) -> int:
        """A bracket at step `first` that is open until step `last`: its kind."""
        kind = self.below(self._kinds)
        self._put(row, first, PAIRS[kind][0])
        self._open[row, first:last] = kind
        if level == 0 and first:
            self._asks[row, first - 1] = True
        return kind

    def fill(self, row: int, first: int, last: int, level: int, longest: int | None = None) -> None:
        """Pieces from step `first` to before `last`, where `level` brackets are open."""
        gap = self._gaps[row]
        step = first + self.below(gap)
        while last - step >= 2:
            room = last - step - 1
            if level < self._depth and next(self._numbers) < GROUPS:
                most = min(room, longest or room)
                length = 1 + max(self.below(most), self.below(most))  # long ones more often: they hold others
                self.group(row, step, length, level)
            else:
                length = self._ignored(row, step, room)
            step += length + 1 + self.below(gap)

    def _ignored(self, row: int, first: int, room: int) -> int:
        """A string or a comment, no further than `room` steps from its first character; its last is how far."""
        style = ('""', "//", "/*")[self.below(3)]
        front, back = {'""': ('"', '"'), "//": ("//", "\n"), "/*": ("/*", "*/")}[style]
        least = len(front + back)
        if room + 1 < least:
            return room
        length = least + self.below(min(room + 1, LONGEST) - least + 1)
        last = first + length - 1
        inside = slice(first + len(front), last + 1 - len(back))
        self._code[row, inside] = self._inside[style][row, inside]
        self._fixed[row, inside] = True
        self._block[row, inside] = style == "/*"
        self._put(row, first, front)
        self._put(row, inside.stop, back)
        return length - 1

    def _put(self, row: int, first: int, characters: str) -> None:
        for step, character in enumerate(characters, first):
            self._code[row, step] = ord(character)
            self._fixed[row, step] = True

    def finished(self) -> Text:
        """The text, without what would begin a comment in code or end one too early."""
        codes = self._code.copy()
        slash, star = codes == ord("/"), codes == ord("*")
        begins = slash[:, :-1] & (slash | star)[:, 1:] & ~self._fixed[:, :-1]
        codes[:, :-1][begins] = ord("x")
        ends = star[:, :-1] & slash[:, 1:] & self._block[:, 1:]
        codes[:, 1:][ends] = ord("x")
        return Text(codes, self._open, self._asks)


def _numbers(random: np.random.Generator) -> Iterator[float]:
    """Numbers from 0 to below 1 without end; drawn many at a time, for speed."""
    while True:
        yield from random.random(1024).tolist()


def _drawn(random: np.random.Generator, characters: str, rows: int, steps: int) -> NDArray[np.uint8]:
    return np.frombuffer(characters.encode(), dtype=np.uint8)[random.integers(0, len(characters), (rows, steps))]
