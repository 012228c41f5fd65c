"""One-hot vectors beside their projection: how densely words lie, how far from each other, and what frequency does.

A one-hot vector of N words uses N of the 2^N corners of a cube, no word is nearer to one than to another, and none is
longer: nothing is assumed, and nearly everything is wasted. A learned projection to M numbers is to be denser by orders
of magnitude, with distances that mean something (Bengio et al. 2003, A neural probabilistic language model).
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from peephole.embed.measuring.geometry_found import Geometry, Group
from peephole.embed.vectors import Vectors, unit
from peephole.errors import InputError
from peephole.stability.forward.rank_correlation import spearman

PAIRS = 200_000  # of words whose distance is taken, drawn at random; all of them where there are fewer
ASKED = 300  # words of each group whose nearest one is looked for
GROUPS = ("frequent", "middling", "rare")
LEAST = 4  # words, below which there is nothing to tell


def measure(vectors: Vectors, seed: int = 0) -> Geometry:
    """Compare the vectors of words with one-hot vectors of as many words.

    Vectors are scaled together, so that their mean square length is 1, that of a one-hot vector; distances are then of
    one kind. `seed` draws pairs of words, and the random vectors that stand beside them.

    Raises:
        InputError: fewer than four words, or vectors of zeros.
    """
    count, width = vectors.rows.shape
    scale = math.sqrt(float(np.square(vectors.rows, dtype=np.float64).sum(1).mean())) if count else 0.0
    if count < LEAST or scale == 0:
        raise InputError(f"{count} words whose vectors have the length {scale:g}; expected {LEAST} words at least")
    random = np.random.default_rng(seed)
    rows = vectors.rows / np.float32(scale)
    first, second = _pairs(count, random)
    lengths = np.linalg.norm(rows, axis=1)
    products = np.einsum("nm,nm->n", rows[first], rows[second], dtype=np.float64)
    both = lengths[first] * lengths[second]
    known = both > 0
    distances = np.sqrt(np.maximum(lengths[first] ** 2 + lengths[second] ** 2 - 2 * products, 0))
    centred = rows - rows.mean(0)
    variances, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64) / count)
    return Geometry(
        words=count,
        numbers=width,
        filled=float((vectors.rows != 0).mean()),
        lengths=lengths.astype(np.float64),
        distances=distances.astype(np.float64),
        cosines=products[known] / both[known],
        chance=np.sqrt(2 * random.chisquare(width, len(first)) / width),
        variances=np.maximum(variances[::-1], 0),
        corners=_corners(centred, axes[:, ::-1]),
        length_and_count=_correlation(vectors, lengths),
        groups=() if vectors.counts is None else _groups(rows, lengths, vectors.counts, random),
    )


def _pairs(count: int, random: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of two different words, pair by pair."""
    if count * (count - 1) // 2 <= PAIRS:
        return np.triu_indices(count, 1)
    first = random.integers(0, count, PAIRS)
    return first, (first + random.integers(1, count, PAIRS)) % count


def _corners(centred: Float[np.ndarray, "words numbers"], axes: NDArray[np.float64]) -> tuple[int, int]:
    """How many principal axes have as many corners as there are words, and how many of these corners words lie in."""
    kept = min(int(math.log2(len(centred))), centred.shape[1])
    sides = centred @ axes[:, :kept].astype(np.float32) > 0
    return kept, len(np.unique(sides @ (1 << np.arange(kept))))


def _correlation(vectors: Vectors, lengths: NDArray[np.floating]) -> float | None:
    if vectors.counts is None:
        return None
    return spearman(torch.from_numpy(lengths.astype(np.float64)), torch.from_numpy(vectors.counts.astype(np.float64)))


def _groups(
    rows: Float[np.ndarray, "words numbers"],
    lengths: NDArray[np.floating],
    counts: NDArray[np.integer],
    random: np.random.Generator,
) -> tuple[Group, ...]:
    """A third of the words each, by how often they come."""
    directions = unit(rows)
    order = np.argsort(-counts, kind="stable")
    found: list[Group] = []
    for name, places in zip(GROUPS, np.array_split(order, len(GROUPS)), strict=True):
        asked = places if len(places) <= ASKED else random.choice(places, ASKED, replace=False)
        cosines = directions[asked] @ directions.T
        cosines[np.arange(len(asked)), asked] = -np.inf
        found.append(
            Group(
                name,
                len(places),
                int(counts[places].min()),
                int(counts[places].max()),
                float(lengths[places].mean()),
                float(cosines.max(1).mean()),
            )
        )
    return tuple(found)
