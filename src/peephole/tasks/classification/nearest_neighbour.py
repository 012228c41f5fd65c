"""The naive method of sequence classification: the label of the most similar sequence of the training part.

Similar by dynamic time warping within a band (Sakoe & Chiba 1978), which the field has measured itself by for long
(Bagnall et al. 2017, The great time series classification bake off).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BAND = 0.1  # share of the length that warping may move a step by: where most of the field's sets are best
MOST = 500  # sequences compared with; more cost time and change little


def nearest(
    known: Sequence[NDArray[np.float32]], asked: Sequence[NDArray[np.float32]], band: float = BAND
) -> NDArray[np.int64]:
    """For each sequence `[T, I]` asked about the place `[asked]` of the known one at the smallest warped distance.

    The distance is the sum of squared differences along the best path that pairs steps in order, both ends with both
    ends, and leaves the straight line by at most `band` of the length (one step at least); with a band of 0 and equal
    lengths that is the Euclidean one.
    """
    lengths = np.array([len(sequence) for sequence in known])
    padded = np.zeros((len(known), int(lengths.max()), known[0].shape[1]), np.float32)
    for place, sequence in enumerate(known):
        padded[place, : len(sequence)] = sequence
    return np.array([int(warped_distances(padded, lengths, sequence, band).argmin()) for sequence in asked])


def warped_distances(
    known: NDArray[np.float32], lengths: NDArray[np.int64], asked: NDArray[np.float32], band: float = BAND
) -> NDArray[np.float64]:
    """The distances `[N]` of one sequence `[S, I]` to padded ones `[N, T, I]` of `lengths` `[N]`."""
    count, longest = known.shape[:2]
    # Where a step of each known sequence stands in it, from 0 to 1, and how far off the line warping may go.
    place = np.arange(longest)[:, None] / np.maximum(lengths - 1, 1)  # [T, N]
    allowed = np.maximum(band, 1 / np.maximum(lengths - 1, 1)) if band else 0.5 / np.maximum(lengths, 1)
    steps = known.transpose(1, 0, 2)  # [T, N, I]
    before = np.full((longest + 1, count), np.inf)  # costs [T, N] of the best paths to the row above, one column ahead
    before[0] = 0.0
    for number, step in enumerate(asked):
        cost = np.square(steps - step).sum(axis=-1, dtype=np.float64)  # [T, N]
        cost[np.abs(place - number / max(1, len(asked) - 1)) > allowed + 1 / max(1, len(asked) - 1)] = np.inf
        row = np.full_like(before, np.inf)
        entered = np.minimum(before[1:], before[:-1])
        for column in range(longest):
            row[column + 1] = cost[column] + np.minimum(entered[column], row[column])
        before = row
    return before[lengths, np.arange(count)]
