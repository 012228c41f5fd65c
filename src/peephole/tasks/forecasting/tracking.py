"""Quantiles that follow their coverage: where fewer values lie below one than should, it is raised, and so on.

Angelopoulos, Candès, Tibshirani (2023), Conformal PID control for time series prediction, section 2.1: after each value
the quantile of share τ moves by η (τ − [value below it]), so that in the long run the share τ of the values lies
below it, whatever the data. A forecast h steps ahead is told what came h steps later, and no sooner.

Here a quantile moves in widths of the net's own outer interval, by a part that all steps ahead share and one of each.
The shared one begins with large steps, as in Angelopoulos, Barber, Bates (2024), Online conformal prediction with
decaying step sizes: a few dozen values then mend what a net that has learnt little by heart says too surely.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

EARLY, DECAY = 0.2, 0.6  # the n-th value moves the shared part by 0.2 n^-0.6 at least; chosen on held-out parts

Quantiles = Float32[np.ndarray, "*windows horizon quantiles"]


@dataclass(frozen=True, eq=False)
class Offsets:
    """How far the quantiles of a series have been moved, in widths.

    Attributes:
        own: at each step ahead, `[H, Q]`.
        shared: by all of them, `[Q]`.
        heard: how often something was heard.
    """

    own: Float32[np.ndarray, "horizon quantiles"]
    shared: Float32[np.ndarray, " quantiles"]
    heard: int = 0


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

    def start(self, horizon: int) -> Offsets:
        """Quantiles that have not been moved yet."""
        count = len(self.shares)
        return Offsets(np.zeros((horizon, count), np.float32), np.zeros(count, np.float32))

    def moved(self, quantiles: Quantiles, offsets: Offsets) -> Quantiles:
        """A forecast, moved."""
        width = quantiles.max(-1, keepdims=True) - quantiles.min(-1, keepdims=True)
        return quantiles + (offsets.own + offsets.shared) * width

    def after(
        self,
        offsets: Offsets,
        quantiles: Float32[np.ndarray, "values quantiles"],
        ahead: Int[np.ndarray, " values"],
        truth: Float32[np.ndarray, " values"],
    ) -> Offsets:
        """The offsets once values are known that moved `quantiles` were about, so many steps `ahead` (from 0)."""
        if not self.rate or len(self.shares) < 2 or not len(truth):
            return offsets
        off = np.array(self.shares, np.float32) - (truth[:, None] < quantiles)
        off[:, self.middle] = 0.0
        own = offsets.own.copy()
        own[ahead] += self.rate * off
        step = max(self.rate, EARLY * (offsets.heard + 1) ** -DECAY)
        shared = offsets.shared + step * off.mean(0)
        return Offsets(own, shared.astype(np.float32), offsets.heard + 1)

    def through(
        self,
        quantiles: Float32[np.ndarray, "windows horizon quantiles"],
        truth: Float32[np.ndarray, "windows horizon"],
        offsets: Offsets,
        stride: int = 1,
    ) -> tuple[Float32[np.ndarray, "windows horizon quantiles"], Offsets]:
        """Forecasts of a series, `stride` steps from one to the next, moved by what was known when each was made.

        Returns them, in order of their shares, and the offsets once all that they were about is known.
        """
        windows, horizon = truth.shape
        moved = np.empty_like(quantiles)
        ahead = np.arange(horizon)
        since = ahead // stride  # windows ago that a value which is known now was forecast
        for window in range(windows + int(since[-1])):
            if window < windows:
                moved[window] = self.moved(quantiles[window], offsets)
            known = ahead[(since <= window) & (window - since < windows)]
            made = window - since[known]
            offsets = self.after(offsets, moved[made, known], known, truth[made, known])
        return np.sort(moved, axis=-1), offsets
