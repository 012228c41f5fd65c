"""Counting the n-grams of a text, length by length."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Counted:
    """The different n-grams of one length.

    Attributes:
        keys: context · V + token of each, ascending, `[ngrams]`, as a `Level` has them.
        counts: how often each was seen; below the longest length, after how many different tokens it was seen, and
            how often where none can stand before it, `[ngrams]`.
        suffixes: the number of the n-gram without its first token, `[ngrams]`.
        contexts: number of n-grams one token shorter.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int32]
    suffixes: NDArray[np.int32]
    contexts: int


def count(
    ids: NDArray[np.integer], events: NDArray[np.bool_], begins: NDArray[np.bool_], vocabulary_size: int, order: int
) -> Iterator[Counted]:
    """The n-grams of 1 to `order` tokens; none longer than those that the text has.

    Args:
        ids: the text, `[tokens]`.
        events: where a token is predicted, and so counted; elsewhere it is only read, `[tokens]`.
        begins: where a sentence begins: no n-gram has such a token but as its first or its last, `[tokens]`.
        vocabulary_size: V.
        order: tokens of the longest n-grams.
    """
    # numbers: of the n-gram that ends at each token, -1 where none does. A token alone is numbered wherever it stands.
    there = np.zeros(vocabulary_size, dtype=np.bool_)
    there[ids] = True
    found = Counted(np.flatnonzero(there).astype(np.int64), np.empty(0, np.int32), np.empty(0, np.int32), 1)
    numbers = (np.cumsum(there, dtype=np.int32) - 1)[ids]
    counts = np.bincount(numbers[events], minlength=len(found.keys)).astype(np.int32)
    found = Counted(found.keys, counts, np.zeros(len(found.keys), dtype=np.int32), 1)
    within = events
    for length in range(2, order + 1):
        longer = within.copy()
        longer[0] = False
        longer[1:] &= numbers[:-1] >= 0
        if length > 2:
            longer[1:] &= ~begins[:-1]
        places = np.flatnonzero(longer).astype(np.int32)
        if not len(places):
            break
        keys, times, firsts, grouped = _group(numbers[places - 1] * np.int64(vocabulary_size) + ids[places])
        suffixes = numbers[places[firsts]]
        # Every different n-gram is one more token seen before the shorter one that it ends in. Before what begins a
        # sentence nothing stands, and it counts as often as it was seen.
        before = np.bincount(suffixes, minlength=len(found.keys))
        before += np.bincount(numbers[within & ~longer], minlength=len(found.keys))
        yield Counted(found.keys, before.astype(np.int32), found.suffixes, found.contexts)
        found = Counted(keys, times, suffixes, len(found.keys))
        numbers = np.full(len(ids), -1, dtype=np.int32)
        numbers[places] = grouped
        within = longer
    yield found


def _group(
    keys: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """The different keys, ascending; how often each occurs; the first place where it does; each key's number."""
    order = np.argsort(keys, kind="stable").astype(np.int32)
    ascending = keys[order]
    new = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=new[1:])
    starts = np.flatnonzero(new).astype(np.int32)
    numbers = np.empty(len(keys), dtype=np.int32)
    numbers[order] = np.cumsum(new, dtype=np.int32) - 1
    return ascending[starts], np.diff(starts, append=np.int32(len(keys))), order[starts], numbers
