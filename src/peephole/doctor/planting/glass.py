"""Glass: the chaotic series of Mackey & Glass 1977, whose value some steps ahead is wanted."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from peephole.data.problems.problem import Examples, counted
from peephole.doctor.planting.series import Series

DELAY, WARM = 17, 200  # steps of the delay; of the series that are let go, so that it is on its attractor
MEAN, DEVIATION = 0.93, 0.23  # of the series there


@dataclass(frozen=True)
class Glass(Series):
    """A value a step, with about mean 0 and deviation 1; out, the value `ahead` steps later.

    x(t + 1) = x(t) + 0.2 x(t − 17) / (1 + x(t − 17)¹⁰) − 0.1 x(t), from starts of its own for each sequence.
    """

    name: ClassVar[str] = "glass"

    # Steps of a sequence.
    length: int = 60

    # How far ahead the value is wanted.
    ahead: int = 6

    @property
    def span(self) -> int:
        return DELAY

    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        steps = WARM + size + self.ahead
        x = np.empty((DELAY + 1 + steps, rows))
        x[: DELAY + 1] = random.uniform(0.5, 1.3, (DELAY + 1, rows))
        for t in range(DELAY, DELAY + steps):
            late = x[t - DELAY]
            x[t + 1] = x[t] + 0.2 * late / (1 + late**10) - 0.1 * x[t]
        values = torch.from_numpy(((x[-size - self.ahead :] - MEAN) / DEVIATION).astype(np.float32))[..., None]
        return Examples(values[:size].contiguous(), values[self.ahead :].contiguous(), counted(size, rows))
