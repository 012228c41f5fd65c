"""Series: a number a step, of which a later one is wanted."""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from peephole.data.problems.problem import Problem


@dataclass(frozen=True)
class Series(Problem):
    """What forecasting problems have in common."""

    size_name: ClassVar[str] = "length"
    smallest: ClassVar[int] = 2

    @property
    def features(self) -> int:
        return 1

    @property
    def outputs(self) -> int:
        return 1

    @property
    def valued(self) -> bool:
        return True

    @property
    def blind(self) -> float:
        return _variance(self)


@cache
def _variance(series: Series) -> float:
    """Variance of the values, measured on 1,000 sequences."""
    return float(series.draw(np.random.default_rng(0), 1000, series.size).targets.double().var())
