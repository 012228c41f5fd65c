"""Texts to learn word vectors from: made up, so that what has to be found in them is known; or a file's."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from peephole.errors import InputError
from peephole.writing import written_whole

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
LONGEST_LINE = 10_000  # words; beyond them gensim forgets the context, and with two threads wants lines to share
CHUNK = 1 << 20


@dataclass(frozen=True)
class MadeUp:
    """A text whose words follow Zipf's law: word r of V has a share of about 1 / r.

    A line is about one of the topics. Its words are drawn one by one: the `shared` most frequent ones as they come, the
    others moved to the nearest rank of the line's topic, so that topics part the ranks evenly and shares stay Zipf's.
    Words that follow one another in a line have nothing else in common: there are no phrases and no grammar.
    """

    words: int
    different: int
    topics: int
    shared: int = 50
    line: int = 200
    seed: int = 0

    def topic(self, rank: int) -> int | None:
        """Which topic a rank, from 0, is of; None for those that every topic has."""
        return None if rank < self.shared else rank % self.topics

    def __str__(self) -> str:
        return (
            f"made up: {self.words:,} words by Zipf's law from {self.different:,}, lines of {self.line} about one of "
            f"{self.topics} topics each; no grammar"
        )


def spelling(rank: int) -> str:
    """A made-up word; the frequent ones are short."""
    letters = ""
    rank += len(ALPHABET)
    while rank >= 0:
        letters = ALPHABET[rank % len(ALPHABET)] + letters
        rank = rank // len(ALPHABET) - 1
    return letters


def rank_of(word: str) -> int:
    """The rank that is spelled so."""
    rank = -1
    for letter in word:
        rank = (rank + 1) * len(ALPHABET) + ALPHABET.index(letter)
    return rank - len(ALPHABET)


def write_made_up(text: MadeUp, path: Path) -> None:
    """Write the text; the same one for the same seed."""
    spelled = [spelling(rank) for rank in range(text.different)]
    with written_whole(path) as file:
        for line in _lines(text):
            file.write(" ".join(spelled[rank] for rank in line.tolist()).encode() + b"\n")


def _lines(text: MadeUp) -> Iterator[Int[np.ndarray, " words"]]:
    random = np.random.default_rng(text.seed)
    reached = np.cumsum(1.0 / np.arange(1, text.different + 1))
    for begun in range(0, text.words, text.line):
        topic = int(random.integers(text.topics))
        count = min(text.line, text.words - begun)
        ranks = np.searchsorted(reached, random.random(count) * reached[-1])
        moved = ranks - ranks % text.topics + topic
        moved = np.where(moved < text.different, moved, moved - text.topics)
        moved = np.where(moved < text.shared, moved + text.topics, moved)
        yield np.where(ranks < text.shared, ranks, moved)


def write_each_once(different: int, path: Path, seed: int = 0) -> None:
    """A text that has every one of so many words once, in any order: of memory, the vocabulary is what counts."""
    random = np.random.default_rng(seed)
    spelled = [spelling(rank) for rank in range(different)]
    with written_whole(path) as file:
        order = random.permutation(different)
        for begun in range(0, different, 1000):
            file.write(" ".join([spelled[rank] for rank in order[begun : begun + 1000].tolist()]).encode() + b"\n")


def write_cut(source: Path, path: Path) -> None:
    """Copy a text, words parted by single spaces, lines cut where they are longer than anybody's context goes.

    Raises:
        InputError: there is no such file, it cannot be read, or is not UTF-8.
    """
    if not source.is_file():
        raise InputError(f"{source}: no such file; expected a text, words parted by spaces")
    try:
        with written_whole(path) as file:
            for line in _cut_lines(source):
                file.write(b" ".join(line) + b"\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: not UTF-8 ({error.reason}); convert it, with iconv for example") from None
    except PermissionError:
        raise InputError(f"{source}: cannot be read; change its permissions") from None


def _cut_lines(source: Path) -> Iterator[list[bytes]]:
    """Words of a line, or of a part of a long one; memory does not grow with a line's length."""
    line: list[bytes] = []
    left = b""
    with source.open("rb") as file:
        while chunk := file.read(CHUNK):
            *parts, last = (left + chunk).split(b"\n")
            for part in parts:
                line += _checked(part)
                yield from _in_pieces(line)
                line = []
            *words, left = _checked_but_last(last)
            line += words
            while len(line) >= LONGEST_LINE:
                yield line[:LONGEST_LINE]
                line = line[LONGEST_LINE:]
    line += _checked(left)
    yield from _in_pieces(line)


def _in_pieces(line: list[bytes]) -> Iterator[list[bytes]]:
    for begun in range(0, len(line), LONGEST_LINE):
        yield line[begun : begun + LONGEST_LINE]


def _checked(text: bytes) -> list[bytes]:
    text.decode()
    return text.split()


def _checked_but_last(text: bytes) -> list[bytes]:
    """Words, and what follows the last white space, which may go on: empty where nothing does."""
    whole = max((text.rfind(space) for space in b" \t\r\v\f"), default=-1) + 1
    return [*_checked(text[:whole]), text[whole:]]
