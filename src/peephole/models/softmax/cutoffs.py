"""Where the clusters of an adaptive softmax begin, so that a step has the fewest products."""

from itertools import combinations, pairwise

import numpy as np

STEPS = 24  # ranks that are tried as cutoffs, at even ratios
MOST = 3  # cutoffs: more clusters save nothing more
SHIFT = 2.7  # of ranks in Mandelbrot's law, which bends the most frequent words down
OVERHEAD = 400.0  # symbols that a row could be multiplied with in the time that a cluster costs it besides


def shares(symbols: int) -> np.ndarray:
    """Expected share of each rank in a text, `[V]`: 1 / (rank + 2.7), after Zipf and Mandelbrot."""
    found = 1.0 / (np.arange(symbols) + 1 + SHIFT)
    return found / found.sum()


def cheapest_cutoffs(symbols: int) -> tuple[int, ...]:
    """At most three ranks, rising, at which clusters begin; the symbols below the first are chosen at once.

    Of a grid of ranks those with the fewest expected products a target: every target has those of the first choice, and
    the share of targets that a cluster has, those of its symbols. No cutoffs where one choice is cheapest.
    """
    below = np.concatenate([[0.0], np.cumsum(shares(symbols))])
    low = min(64.0, max(1.0, symbols / 4))
    grid = np.unique(np.geomspace(low, max(low, symbols - 1), STEPS).astype(int))
    grid = grid[(grid >= 1) & (grid < symbols)]
    best, found = float(symbols), ()
    for count in range(1, MOST + 1):
        for cuts in combinations(grid.tolist(), count):
            bounds = [*cuts, symbols]
            cost = cuts[0] + count
            for start, end in pairwise(bounds):
                cost += OVERHEAD + (below[end] - below[start]) * (end - start)
            if cost < best:
                best, found = cost, cuts
    return tuple(found)
