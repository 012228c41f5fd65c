"""What the counts of words decide: which occurrences stay, which words are drawn as negatives, the tree of words."""

from array import array

import numpy as np
from jaxtyping import Float, Int64, UInt32
from numpy.typing import NDArray

from peephole.word_operands import ALWAYS, NOISE_SLOT, Noise, Tree

DRAWS = 2**32


def kept(counts: Int64[np.ndarray, " words"], sample: float) -> UInt32[np.ndarray, " words"]:
    """The limit of 32-bit draws below which an occurrence of each word stays; ALWAYS for words that are never dropped.

    A word whose share of the text is f stays with probability √(s/f) + s/f, s being `sample`: word2vec's own formula,
    which drops a little less than the paper's 1 − √(s/f).
    """
    if not sample:
        return np.full(len(counts), ALWAYS, dtype=np.uint32)
    shares = sample * counts.sum() / counts.astype(np.float64)
    stays = np.sqrt(shares) + shares
    limits = np.minimum(np.floor(stays * DRAWS), DRAWS - 2).astype(np.uint32)
    return np.where(stays >= 1, np.uint32(ALWAYS), limits).astype(np.uint32)


def noise(counts: Int64[np.ndarray, " words"], exponent: float, negatives: int, sharing: int) -> Noise:
    """Words by their counts to the power of `exponent`, as a table for the alias method (Vose 1991)."""
    weights = (counts / counts.max()) ** exponent  # of large powers only the most frequent words are left
    return Noise(alias(weights / weights.sum()), negatives, sharing)


def alias(shares: Float[np.ndarray, " words"]) -> np.ndarray:
    """Slots of NOISE_SLOT that draw each word by its share."""
    count = len(shares)
    slots = np.zeros(count, dtype=NOISE_SLOT)
    scaled = array("d", shares * count)  # whose numbers are quicker to reach one by one than those of numpy
    below, other = array("d", np.ones(count)), array("q", np.arange(count))
    small, large = (array("q", np.flatnonzero(which)) for which in (shares * count < 1, shares * count >= 1))
    while small and large:
        less, more = small.pop(), large[-1]
        below[less], other[less] = scaled[less], more
        scaled[more] -= 1 - scaled[less]
        if scaled[more] < 1:
            small.append(large.pop())
    slots["below"] = np.minimum(np.floor(np.asarray(below) * DRAWS), DRAWS - 1).astype(np.uint32)
    slots["other"] = other
    return slots


def tree(counts: Int64[np.ndarray, " words"]) -> Tree:
    """Huffman's tree (1952) of words in the order of falling counts: the more frequent, the shorter the path.

    V words have V − 1 inner nodes; the last, V − 2, is the root.
    """
    words = len(counts)
    inner = words - 1
    weights = [*counts.tolist(), *[0] * inner]
    parent, turn = [0] * (2 * words - 1), bytearray(2 * words - 1)
    leaf, node = words - 1, words  # the least of what has no parent yet: leaves from the end, inner nodes as made
    for made in range(words, 2 * words - 1):
        for second in (0, 1):
            if leaf >= 0 and (node >= made or weights[leaf] <= weights[node]):
                least, leaf = leaf, leaf - 1
            else:
                least, node = node, node + 1
            weights[made] += weights[least]
            parent[least], turn[least] = made, second
    return _paths(np.array(parent), np.frombuffer(turn, dtype=np.uint8), words)


def _paths(parent: NDArray[np.int64], turn: NDArray[np.uint8], words: int) -> Tree:
    """Each word's way from the root, found a level at a time for all words together."""
    root = 2 * words - 2
    at, depth = np.arange(words), np.zeros(words, dtype=np.int64)
    steps: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]] = []  # words, nodes, turns
    below = np.arange(words)
    while len(below):
        above = parent[at[below]]
        steps.append((below, above, turn[at[below]]))
        depth[below] += 1
        at[below] = above
        below = below[above != root]
    paths = np.concatenate([[0], np.cumsum(depth)]).astype(np.int64)
    nodes, turns = np.zeros(paths[-1], dtype=np.int32), np.zeros(paths[-1], dtype=np.uint8)
    for height, (which, above, turned) in enumerate(steps):  # from the leaf upwards
        place = paths[which + 1] - 1 - height
        nodes[place], turns[place] = above - words, turned
    return Tree(paths, nodes, turns)
