"""Words counted, numbered and joined: by the compiled module, or by Python where there is none, with equal results.

A text comes in blocks of bytes, and ends with white space. A word is what stands between ASCII white space; one of more
than 1,000 bytes is none, and is left out and counted.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from peephole._native.instructions import absence, core
from peephole.embed.corpus.reading import last_space

LONGEST = 1000  # bytes of a word
END = -1  # of a line, among numbers of words


@runtime_checkable
class Vocabulary(Protocol):
    """The words of a text: counted block by block, then cut, then the text again as numbers.

    Attributes:
        size: how many different words there are; after `cut`, how many were kept.
        words: how many words the text has, those that are too long included.
        too_long: how many are.
    """

    @property
    def size(self) -> int: ...
    @property
    def words(self) -> int: ...
    @property
    def too_long(self) -> int: ...

    def count(self, block: bytes) -> None:
        """Count the words that have ended."""

    def cut(self, least: int, most: int) -> None:
        """Keep words that came `least` times, at most `most`, by falling count; of equal ones, first seen first."""

    def encode(self, block: bytes) -> NDArray[np.int32]:
        """Numbers of the words that have ended, unknown ones left out; `END` for the end of a line that had any."""
        ...

    def counts(self) -> NDArray[np.int64]:
        """How often each word came."""
        ...

    def word(self, number: int) -> bytes:
        """How a word is spelled."""
        ...

    def lines(self, first: int, last: int) -> bytes:
        """A line `word count` for each word from number `first` to before `last`."""
        ...


@runtime_checkable
class Pairs(Protocol):
    """Pairs of words of a vocabulary, counted where their score can lie above a threshold (see `phrases`).

    Attributes:
        parts: of how many parts of all pairs, by their hashes, this counted one; the others did not fit in.
    """

    @property
    def parts(self) -> int: ...

    def count(self, block: bytes) -> None:
        """Count the pairs whose second word has ended."""

    def frequent(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of first words, of second words, and counts, of pairs that came more often than the discount."""
        ...


@runtime_checkable
class Joiner(Protocol):
    """Joins pairs of words by `_`, from left to right within a line; white space becomes one space or a line end."""

    def add(self, first: bytes, second: bytes) -> None:
        """Let two words be joined from now on."""

    def join(self, block: bytes) -> bytes:
        """The text again, as far as its words have ended."""
        ...


def new_vocabulary() -> Vocabulary:
    """An empty vocabulary."""
    return PlainVocabulary() if _plain() else core.Vocabulary()  # pyright: ignore[reportOptionalMemberAccess]


def new_pairs(
    vocabulary: Vocabulary, words: int, discount: int, threshold: float, room: int, parts: int = 1, part: int = 0
) -> Pairs:
    """A counter of one part of the pairs, at most `room` at once, of a text of so many words."""
    if isinstance(vocabulary, PlainVocabulary):
        return PlainPairs(vocabulary, discount)
    return core.Pairs(vocabulary, words, discount, threshold, room, parts, part)  # pyright: ignore


def new_joiner() -> Joiner:
    """One that joins nothing yet."""
    return PlainJoiner() if _plain() else core.Joiner()  # pyright: ignore[reportOptionalMemberAccess]


def _plain() -> bool:
    return bool(absence())


class PlainVocabulary:
    """`Vocabulary` in Python."""

    def __init__(self) -> None:
        self.words = self.too_long = 0
        self._counts: Counter[bytes] = Counter()
        self._numbers: dict[bytes, int] = {}
        self._words: list[bytes] = []
        self._counted, self._encoded = _Cutter(), _Cutter()
        self._begun = False

    @property
    def size(self) -> int:
        return len(self._counts)

    def count(self, block: bytes) -> None:
        found = self._counted(block).split()
        short = [word for word in found if len(word) <= LONGEST]
        self.words += len(found)
        self.too_long += len(found) - len(short)
        self._counts.update(short)

    def cut(self, least: int, most: int) -> None:
        ranked = sorted(self._counts.items(), key=lambda item: -item[1])
        self._counts = Counter(dict([item for item in ranked if item[1] >= least][:most]))
        self._words = list(self._counts)
        self._numbers = {word: number for number, word in enumerate(self._words)}

    def find(self, word: bytes) -> int | None:
        return self._numbers.get(word)

    def encode(self, block: bytes) -> NDArray[np.int32]:
        numbers: list[int] = []
        for words, ended in lines_of(self._encoded(block)):
            known = [number for word in words if (number := self._numbers.get(word)) is not None]
            numbers += known
            self._begun = self._begun or bool(known)
            if ended and self._begun:
                numbers.append(END)
                self._begun = False
        return np.array(numbers, dtype=np.int32)

    def counts(self) -> NDArray[np.int64]:
        return np.array(list(self._counts.values()), dtype=np.int64)

    def word(self, number: int) -> bytes:
        return self._words[number]

    def lines(self, first: int, last: int) -> bytes:
        return b"".join(b"%s %d\n" % (word, self._counts[word]) for word in self._words[first:last])


class PlainPairs:
    """`Pairs` in Python: all of them at once."""

    parts = 1

    def __init__(self, vocabulary: PlainVocabulary, discount: int) -> None:
        self._vocabulary, self._discount = vocabulary, discount
        self._counts: Counter[tuple[int, int]] = Counter()
        self._cutter = _Cutter()
        self._before: int | None = None

    def count(self, block: bytes) -> None:
        for words, ended in lines_of(self._cutter(block)):
            for word in words:
                number = self._vocabulary.find(word)
                if self._before is not None and number is not None:
                    self._counts[self._before, number] += 1
                self._before = number
            if ended:
                self._before = None

    def frequent(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        found = [(*pair, count) for pair, count in self._counts.items() if count > self._discount]
        first, second, counts = np.array(found, dtype=np.int64).reshape(-1, 3).T
        return first, second, counts


class PlainJoiner:
    """`Joiner` in Python."""

    def __init__(self) -> None:
        self._pairs: set[tuple[bytes, bytes]] = set()
        self._cutter = _Cutter()
        self._before = b""
        self._begun = False

    def add(self, first: bytes, second: bytes) -> None:
        self._pairs.add((first, second))

    def join(self, block: bytes) -> bytes:
        out: list[bytes] = []
        for words, ended in lines_of(self._cutter(block)):
            for word in words:
                joined = (self._before, word) in self._pairs
                if self._begun:
                    out.append(b"_" if joined else b" ")
                out.append(word)
                self._begun = True
                self._before = b"" if joined else word
            if ended:
                out.append(b"\n")
                self._begun, self._before = False, b""
        return b"".join(out)


class _Cutter:
    """Blocks cut anew, so that they end with white space."""

    def __init__(self) -> None:
        self._kept = b""

    def __call__(self, block: bytes) -> bytes:
        end = last_space(block) + 1
        whole = self._kept + block[:end] if end else b""
        # What is too long to be a word needs no more of it to be so.
        self._kept = (b"" if end else self._kept) + block[end:][: LONGEST + 1]
        self._kept = self._kept[: LONGEST + 1]
        return whole


def lines_of(text: bytes) -> Iterator[tuple[list[bytes], bool]]:
    """The words of each line, and whether it has ended."""
    *ended, last = text.split(b"\n")
    for line in ended:
        yield line.split(), True
    if last:
        yield last.split(), False
