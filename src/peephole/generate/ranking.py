"""The likeliest ways to go on, of many sources at once."""

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError

BLOCKS = 128  # that a row is cut into: few beside the symbols of a vocabulary, many beside those that are looked for

Logs = NDArray[np.floating]  # `[rows, symbols]`, in nats
Ranked = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]  # rows, symbols, log-probabilities


def likeliest_of_rows(logs: Logs, before: NDArray[np.float64]) -> Ranked:
    """The likeliest symbol of each row that has one; `before` is the log-probability of each row so far."""
    symbols = logs.argmax(1)  # of equals the first
    totals = before + _numbers(logs[np.arange(len(logs)), symbols])
    rows = (totals > -np.inf).nonzero()[0]
    return rows, symbols[rows], totals[rows]


def likeliest_of_sources(logs: Logs, before: NDArray[np.float64], sources: NDArray[np.int64], count: int) -> Ranked:
    """The `count` likeliest pairs of row and symbol of each source, or all that are possible where there are fewer.

    `sources` says whose each row is, in rising order, and so the pairs come; those of a source come likeliest first, of
    equals the one with the lower row, then symbol, first.
    """
    groups = begins(sources).cumsum() - 1  # sources numbered without gaps
    floors = _floors(before[:, None] + _block_maxima(logs), groups, count)[groups] - before
    # Compared as the decoder's kind of number, which is quick: a little lower lets some more through, and none less.
    # What is impossible stays out.
    floors = np.maximum(floors - 1e-5 * (1 + np.abs(floors)), np.finfo(np.float32).min)
    rows, symbols = np.divmod((logs >= floors.astype(logs.dtype)[:, None]).ravel().nonzero()[0], logs.shape[1])
    totals = before[rows] + logs[rows, symbols]
    order = np.lexsort((-totals, groups[rows]))  # stable, so that of equals the first stays first
    order = order[places_in_groups(groups[rows[order]]) < count]
    return rows[order], symbols[order], totals[order]


def places_in_groups(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, 2, … of each element within its group; members of a group stand side by side."""
    places = np.arange(len(groups))
    return places - np.maximum.accumulate(places * begins(groups))


def begins(groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each element is the first of its group."""
    found = np.ones(len(groups), bool)
    np.not_equal(groups[1:], groups[:-1], out=found[1:])
    return found


def _block_maxima(logs: Logs) -> NDArray[np.float64]:
    """The largest of each block of each row, `[rows, blocks]`; blocks need not be symbols side by side."""
    rows, size = logs.shape
    tall = size // BLOCKS
    if tall < 2:
        return _numbers(logs)
    maxima = logs[:, : tall * BLOCKS].reshape(rows, tall, BLOCKS).max(1)
    rest = logs[:, tall * BLOCKS :]
    return _numbers(np.concatenate([maxima, rest.max(1, keepdims=True)], 1) if rest.size else maxima)


def _floors(maxima: NDArray[np.float64], groups: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """A total of each source that `count` of its pairs reach at least: the `count`-th largest of its blocks."""
    places = places_in_groups(groups)
    totals = np.full((groups[-1] + 1, places.max() + 1, maxima.shape[1]), -np.inf)
    totals[groups, places] = maxima
    totals = totals.reshape(len(totals), -1)
    if totals.shape[1] <= count:
        return np.full(len(totals), -np.inf)
    totals.partition(-count, axis=1)
    return totals[:, -count]


def _numbers(values: Logs) -> NDArray[np.float64]:
    found = values.astype(np.float64)
    if np.isnan(found).any():
        raise InputError("the net gives probabilities that are no numbers; it has diverged: train it more carefully")
    return found
