"""Mean and spread of features, in one pass over sequences."""

import numpy as np
from numpy.typing import NDArray

CONSTANT = 1e-6  # a spread below this share of the mean is rounding: the feature is left in its own units


class Moments:
    """Mean and standard deviation of each feature over all steps added, in float64; NaN is passed over.

    Sums are kept about the mean so far (Chan, Golub & LeVeque 1983), so that large means cost no digits.
    """

    def __init__(self) -> None:
        self.count: NDArray[np.float64] | float = 0.0
        self.mean: NDArray[np.float64] | float = 0.0
        self.squares: NDArray[np.float64] | float = 0.0

    def add(self, values: NDArray[np.float32]) -> None:
        """Take in the steps `[T, I]` of a sequence."""
        known = ~np.isnan(values)
        whole = np.where(known, values, 0).astype(np.float64)
        count = known.sum(axis=0).astype(np.float64)
        mean = whole.sum(axis=0) / np.maximum(count, 1)
        squares = (np.square(whole - mean) * known).sum(axis=0)
        total = self.count + count
        apart = mean - self.mean
        share = count / np.maximum(total, 1)
        self.squares = self.squares + squares + np.square(apart) * self.count * share
        self.mean = self.mean + apart * share
        self.count = total

    @property
    def scale(self) -> NDArray[np.float64]:
        """The standard deviation of each feature `[I]`; 1 of one that does not vary."""
        deviation = np.sqrt(self.squares / np.maximum(self.count, 1))
        return np.where(deviation > CONSTANT * np.abs(self.mean), deviation, 1.0)
