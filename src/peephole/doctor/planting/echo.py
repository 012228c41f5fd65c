"""Echo: what was read some steps ago is wanted again."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from peephole.data.problems.problem import Examples, Problem, counted, symbols


@dataclass(frozen=True)
class Echo(Problem):
    """Random letters in; out, at each step, the letter of `lag` steps before, once there is one."""

    name: ClassVar[str] = "echo"
    size_name: ClassVar[str] = "lag"

    # Steps from a letter to its echo.
    lag: int = 7

    # Letters of a sequence that are echoed.
    letters: int = 23

    # Letters that there are.
    alphabet: int = 4

    @property
    def symbols(self) -> int:
        return self.alphabet

    @property
    def outputs(self) -> int:
        return self.alphabet

    @property
    def span(self) -> int:
        return self.lag

    @property
    def blind(self) -> float:
        return math.log(self.alphabet)

    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        steps = size + self.letters
        inputs = symbols(random.integers(0, self.alphabet, (rows, steps)))
        targets = inputs.roll(size, 0)
        targets[:size] = 0
        return Examples(inputs, targets, counted(steps, rows, size))
