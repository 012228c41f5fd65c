"""Where a text is cut for learning: into parts that a thread takes at a time, sentence by sentence."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64

from peephole.word_operands import END

PART = (
    10_000  # numbers of a part, and of the longest sentence that is learnt from as one: as word2vec and gensim have it
)
BLOCK = 1 << 20


def part_starts(tokens: Path, length: int) -> Int64[np.ndarray, " parts_and_one"]:
    """Where each part begins: after the last sentence that ends within PART numbers, or in the middle of a longer one.

    The file is read in blocks; memory grows with the number of parts alone.
    """
    starts, begin, last = [0], 0, 0  # `last`: behind the last sentence that has ended
    for ends in _ends(tokens):
        for end in ends.tolist():
            while end - begin > PART:
                begin = last if last > begin else begin + PART
                starts.append(begin)
            last = end
    while length - begin > PART:
        begin = last if last > begin else begin + PART
        starts.append(begin)
    if begin < length:
        starts.append(length)
    return np.array(starts, dtype=np.int64)


def _ends(tokens: Path) -> Iterator[Int64[np.ndarray, " sentences"]]:
    """Places behind the ends of sentences, block after block."""
    with tokens.open("rb") as file:
        place = 0
        while (block := np.fromfile(file, dtype="<i4", count=BLOCK)).size:
            yield np.flatnonzero(block == END) + place + 1
            place += len(block)


def read_tokens(tokens: Path, first: int, last: int) -> Int32[np.ndarray, " tokens"]:
    """Numbers `first` to `last` of the file, without the latter."""
    return np.fromfile(tokens, dtype="<i4", count=last - first, offset=4 * first).astype(np.int32, copy=False)
