"""Quantiles that follow their coverage: where fewer values lie below one than should, it is lowered, and so on.

Angelopoulos, Candès, Tibshirani (2023), Conformal PID control for time series prediction, section 2.1: after each value
the quantile of share τ moves by η (τ − [value below it]), so that in the long run the share τ of the values lies
below it, whatever the data. A forecast h steps ahead is told what came h steps later, and no sooner.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True, eq=False)
class Tracking:
    """How quantiles are moved.

    Attributes:
        shares: the quantiles τ, `[Q]`.
        rate: η in widths of the interval between the outer ones; 0 moves nothing.
        middle: which one is the forecast itself; it stays.
    """

    shares: tuple[float, ...]
    rate: float
    middle: int

    def start(self, horizon: int) -> Float32[np.ndarray, "horizon quantiles"]:
        """Offsets of quantiles that have not been moved yet."""
        return np.zeros((horizon, len(self.shares)), np.float32)

    def moves(
        self, quantiles: Float32[np.ndarray, "values quantiles"], truth: Float32[np.ndarray, " values"]
    ) -> Float32[np.ndarray, "values quantiles"]:
        """How far each quantile moves after a value."""
        below = truth[:, None] < quantiles
        width = quantiles.max(1, keepdims=True) - quantiles.min(1, keepdims=True)
        found = self.rate * width * (np.array(self.shares, np.float32) - below)
        found[:, self.middle] = 0.0
        return found.astype(np.float32)

    def through(
        self,
        quantiles: Float32[np.ndarray, "windows horizon quantiles"],
        truth: Float32[np.ndarray, "windows horizon"],
        offsets: Float32[np.ndarray, "horizon quantiles"],
        stride: int = 1,
    ) -> tuple[Float32[np.ndarray, "windows horizon quantiles"], Float32[np.ndarray, "horizon quantiles"]]:
        """Forecasts of a series, `stride` steps from one to the next, moved by what was known when each was made.

        Returns them, in order of their shares, and the offsets after the last.
        """
        offsets = offsets.copy()
        moved = np.empty_like(quantiles)
        ahead = np.arange(quantiles.shape[1])
        since = ahead // stride  # windows ago that the value now known was forecast so many steps ahead
        for window in range(len(quantiles)):
            moved[window] = quantiles[window] + offsets
            if self.rate and len(self.shares) > 1:
                known = ahead[since <= window]
                made = window - since[known]
                offsets[known] += self.moves(moved[made, known], truth[made, known])
        return np.sort(moved, axis=-1), offsets
