"""The season of series: after how many steps a pattern comes again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CLEAR = 0.25  # autocorrelation from which on a pattern is taken for one; of noise it is about 1/√T
NEAR = 0.75  # a shorter season with so much of the largest autocorrelation is the season; longer ones are multiples
LONGEST = 2000  # steps that a season has at most
LOOKED_AT = 50  # series of many


def found_season(series: Sequence[NDArray[np.floating]]) -> int:
    """The lag of the largest peak of the autocorrelation of the differences, averaged over series; 1 without one.

    Differences, because a trend alone makes all lags correlate. At least three seasons have to be there.
    """
    chosen = series[:: max(1, len(series) // LOOKED_AT)]
    most = min(LONGEST, max(len(values) for values in chosen) // 3)
    if most < 3:
        return 1
    total, weight = np.zeros(most + 1), np.zeros(most + 1)
    for values in chosen:
        lags = min(most, len(values) // 3)
        if lags >= 2:
            total[: lags + 1] += _autocorrelation(np.diff(values), lags)
            weight[: lags + 1] += 1
    mean = total / np.maximum(weight, 1)
    # A smooth series resembles itself a few steps later, which is no season: that has to have ended. What noise does to
    # differences is at lag 1 alone.
    ended = next((lag for lag in range(2, most) if mean[lag] < 0), most)
    peaks = np.array([lag for lag in range(ended, most) if mean[lag] >= max(mean[lag - 1], mean[lag + 1])], np.int64)
    if not len(peaks) or mean[peaks].max() < CLEAR:
        return 1
    return int(peaks[mean[peaks] >= NEAR * mean[peaks].max()][0])


def _autocorrelation(values: NDArray[np.floating], lags: int) -> NDArray[np.float64]:
    """`[lags + 1]`, the first of them 1; zeros of a constant."""
    centred = values.astype(np.float64) - values.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    found = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2, size)[: lags + 1]
    if len(found) < lags + 1 or not found[0] > 1e-12:
        return np.zeros(lags + 1)
    return found / found[0] * (len(centred) / (len(centred) - np.arange(lags + 1)))  # as many products at every lag
