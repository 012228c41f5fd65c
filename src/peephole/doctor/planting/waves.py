"""Waves: a sum of sines with noise, whose next value is wanted."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from peephole.data.problems.problem import Examples, counted
from peephole.doctor.planting.series import Series


@dataclass(frozen=True)
class Waves(Series):
    """A value a step; out, at each step, the value of the next: y(t) = Σ aₖ sin(2π t / pₖ + φₖ) + noise.

    Amplitudes aₖ are uniform in [0.5, 1], periods pₖ in [6, 20] steps and phases anywhere; the whole has about unit
    variance. Each sequence has waves of its own, so that what comes has to be read from what came.
    """

    name: ClassVar[str] = "waves"

    # Steps of a sequence.
    length: int = 40

    # Sines in the sum.
    waves: int = 2

    # Standard deviation of the noise.
    noise: float = 0.05

    @property
    def span(self) -> int:
        return min(self.length, 2 * self.waves)  # values that tell the next one of so many sines, without noise

    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        shape = (self.waves, 1, rows)
        amplitudes, periods = random.uniform(0.5, 1.0, shape), random.uniform(6.0, 20.0, shape)
        phases = random.uniform(0.0, 2 * np.pi, shape)
        steps = np.arange(size + 1)[None, :, None]
        values = (amplitudes * np.sin(2 * np.pi * steps / periods + phases)).sum(0)  # [T + 1, B]
        values = (values + self.noise * random.standard_normal(values.shape)).astype(np.float32)
        values = torch.from_numpy(values)[..., None]
        return Examples(values[:-1].contiguous(), values[1:].contiguous(), counted(size, rows))
