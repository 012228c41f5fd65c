"""Words that are spelled much like one that is not there."""

import difflib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CUTOFF = 0.7  # difflib's ratio, from which words are much alike
LOOKED_AT = 200  # words that difflib looks at: the most promising by the pairs of letters that they share


def spelled_like(word: str, words: Sequence[str], most: int = 5) -> list[str]:
    """At most so many of `words`, the likest first; capitals make no difference. Of a million words within a second.

    >>> spelled_like("quen", ["king", "Queen", "queens", "of"])
    ['Queen', 'queens']
    """
    word = word.lower()
    lowered = [one.lower() for one in words]
    lengths = np.fromiter(map(len, lowered), np.int64, len(lowered))
    shared = _shared(word, lowered, lengths)
    # Ratios of CUTOFF, 2·(letters in common) / (letters of both), leave these lengths only.
    short, long = lengths < len(word) * CUTOFF / (2 - CUTOFF), lengths > len(word) * (2 - CUTOFF) / CUTOFF
    hopeful = np.where((shared == 0) | short | long, 0, shared / (len(word) + lengths + 1))
    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(word)
    found: list[tuple[float, int]] = []
    for place in np.argsort(-hopeful, kind="stable")[:LOOKED_AT].tolist():
        matcher.set_seq1(lowered[place])
        if hopeful[place] and (ratio := matcher.ratio()) >= CUTOFF:
            found.append((-ratio, place))
    return [words[place] for _, place in sorted(found)[:most]]


def _shared(word: str, words: Sequence[str], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the pairs of neighbouring letters of `word`, of a single letter itself, each of `words` has."""
    letters = np.frombuffer("\n".join(words).encode("utf-32-le", "surrogatepass"), "<u4")
    starts = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
    found = np.zeros(len(words), np.int64)
    codes = np.frombuffer(word.encode("utf-32-le", "surrogatepass"), "<u4")
    for first, second in set(zip(codes.tolist(), codes[1:].tolist(), strict=False)) or {(code, None) for code in codes}:
        there = letters == first
        if second is not None:
            there = there[:-1] & (letters[1:] == second)
        has = np.zeros(len(words), bool)
        has[np.searchsorted(starts, np.flatnonzero(there), "right") - 1] = True
        found += has
    return found
