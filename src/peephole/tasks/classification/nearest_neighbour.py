"""The label of the most similar sequence, by which the field has measured itself for long.

Similar by dynamic time warping within a band (Sakoe & Chiba 1978; Bagnall et al. 2017, The great time series
classification bake off).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BAND = 0.1  # share of the length by which warping may move a step: usual in the field


def nearest(
    known: Sequence[NDArray[np.float32]], asked: Sequence[NDArray[np.float32]], band: float = BAND
) -> NDArray[np.int64]:
    """For each sequence `[S, I]` asked about the place `[asked]` of the known one at the smallest warped distance."""
    lengths = np.array([len(sequence) for sequence in known])
    padded = np.zeros((int(lengths.max()), len(known), known[0].shape[1]), np.float32)
    for place, sequence in enumerate(known):
        padded[: len(sequence), place] = sequence
    return np.array([int(warped_distances(padded, lengths, sequence, band).argmin()) for sequence in asked])


def warped_distances(
    known: NDArray[np.float32], lengths: NDArray[np.int64], asked: NDArray[np.float32], band: float = BAND
) -> NDArray[np.float64]:
    """The distances `[N]` of one sequence `[S, I]` to padded ones `[T, N, I]` of `lengths` `[N]`.

    The sum of squared differences along the best path that pairs steps in order, both ends with both ends. It leaves
    the straight line between them by at most `band` of the length, or by one step where that is more.
    """
    longest, count, features = known.shape
    squares = np.square(known).sum(axis=-1) + np.square(asked).sum(axis=-1)[:, None, None]  # [S, T, N]
    costs = squares - 2 * (known.reshape(-1, features) @ asked.T).T.reshape(len(asked), longest, count)
    ends = np.maximum(lengths - 1, 1)
    place = np.arange(longest)[:, None] / ends  # of each known step in its sequence, from 0 to 1: [T, N]
    slack = np.maximum(band, 1 / np.minimum(ends, max(1, len(asked) - 1)))
    before = np.full((longest + 1, count), np.inf)  # of the best paths that end in the row above, a column ahead
    before[0] = 0.0
    for step, cost in enumerate(costs):
        allowed = np.abs(place - step / max(1, len(asked) - 1)) <= slack
        row = np.full_like(before, np.inf)
        entered = np.minimum(before[1:], before[:-1])
        for column in np.flatnonzero(allowed.any(axis=1)).tolist():
            best = np.minimum(entered[column], row[column])
            row[column + 1] = np.where(allowed[column], cost[column] + best, np.inf)
        before = row
    return before[lengths, np.arange(count)]
