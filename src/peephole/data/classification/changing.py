"""What training makes of a sequence each time that it reads it, so that a small set looks larger than it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peephole.data.sequences.store import Pair

MASKS = 2  # stretches of steps, and of features, that are hidden
SHORTEST = 2  # steps that a sequence is never cut below


@dataclass(frozen=True)
class Changing:
    """Changes of numbers that leave the label as it is; each is drawn anew every time. Symbols stay as they are.

    Attributes:
        cut: at most this share of the steps is left out at the ends (a window of it is read; Le Guennec et al. 2016).
        stretch: time is stretched or pressed by up to this share, on lines between steps.
        noise: deviation of normal noise added to each value, in units of the feature's own.
        hide_steps: in each of two stretches up to this share of the steps becomes the mean (SpecAugment, Park et al.
            2019, as are the features).
        hide_features: the same of features beside each other.
    """

    cut: float = 0.0
    stretch: float = 0.0
    noise: float = 0.0
    hide_steps: float = 0.0
    hide_features: float = 0.0

    def __call__(self, pair: Pair, random: np.random.Generator) -> Pair:
        """Inputs `[T, I]` changed, the target as it is."""
        inputs, target = pair
        if inputs.dtype != np.float32:
            return pair
        values = inputs.astype(np.float32)  # a copy: what training reads from stays as it is
        if self.cut:
            values = _cut(values, self.cut, random)
        if self.stretch:
            values = _stretched(values, self.stretch, random)
        for axis, share in enumerate((self.hide_steps, self.hide_features)):
            for _ in range(MASKS if share else 0):
                width = int(random.integers(0, int(share * values.shape[axis]) + 1))
                first = int(random.integers(0, values.shape[axis] - width + 1))
                values[(slice(None),) * axis + (slice(first, first + width),)] = 0
        if self.noise:
            values += self.noise * random.standard_normal(values.shape, dtype=np.float32)
        return values, target

    @property
    def any(self) -> bool:
        """Whether anything is changed."""
        return any(vars(self).values())


def _cut(values: NDArray[np.float32], share: float, random: np.random.Generator) -> NDArray[np.float32]:
    left = max(min(SHORTEST, len(values)), int(len(values) * (1 - random.uniform(0, share))))
    first = int(random.integers(0, len(values) - left + 1))
    return values[first : first + left]


def _stretched(values: NDArray[np.float32], share: float, random: np.random.Generator) -> NDArray[np.float32]:
    steps = max(min(SHORTEST, len(values)), round(len(values) * float(np.exp(random.uniform(-share, share)))))
    places = np.linspace(0, len(values) - 1, steps)
    before = places.astype(np.int64)
    after = np.minimum(before + 1, len(values) - 1)
    share_after = (places - before)[:, None].astype(np.float32)
    between = values[before] * (1 - share_after) + values[after] * share_after
    return between.astype(np.float32, copy=False)
