"""Temporal order: two or three symbols of many matter, far apart, and so does which came first."""

import math
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from peephole.data.problems.problem import Examples, Problem, counted, symbols
from peephole.errors import InputError

LETTERS = "ABcdef"  # the relevant ones, then those that distract
RELEVANT = 2  # letters
RANGES = {2: ((10, 20), (40, 50)), 3: ((10, 20), (33, 43), (66, 76))}  # percent of the length, ends included


@dataclass(frozen=True)
class TemporalOrder(Problem):
    """Letters in; out, after the last, which of AA, AB, BA, BB (of AAA to BBB with three) were among them, in order.

    The relevant letters stand at steps drawn uniformly from [T/10, 2T/10] and [4T/10, 5T/10] (Pascanu, Mikolov & Bengio
    2013); three from [10, 20], [33, 43] and [66, 76] percent of T, as in Hochreiter & Schmidhuber 1997 (experiment 6b,
    whose lengths are 100 to 110). All other steps hold c, d, e or f. Unlike the latter's, sequences have no letter at
    their start or end that says so: a net starts from its zero state, and is asked after the last step.
    """

    name: ClassVar[str] = "temporal-order"
    size_name: ClassVar[str] = "length"
    smallest: ClassVar[int] = 10  # from here on no two ranges share a step

    # Steps of the longest sequences to train on.
    length: int = 200

    # Letters that matter: 2 make 4 classes, 3 make 8.
    relevant: int = 2

    def __post_init__(self) -> None:
        if self.relevant not in RANGES:
            raise InputError(f"--relevant is {self.relevant}; expected 2 or 3 letters that matter")
        self._at_least(length=self.smallest)

    @property
    def symbols(self) -> int:
        return len(LETTERS)

    @property
    def outputs(self) -> int:
        return RELEVANT**self.relevant

    @property
    def span(self) -> int:
        return self.length - 1 - self.ranges(self.length)[0][0]

    @property
    def blind(self) -> float:
        return math.log(self.outputs)

    def ranges(self, size: int) -> list[tuple[int, int]]:
        """First and last step at which each relevant letter can stand."""
        return [(first * size // 100, last * size // 100) for first, last in RANGES[self.relevant]]

    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        inputs = random.integers(RELEVANT, len(LETTERS), (rows, size))
        targets = np.zeros_like(inputs)
        for first, last in self.ranges(size):
            letter = random.integers(0, RELEVANT, rows)
            inputs[np.arange(rows), random.integers(first, last + 1, rows)] = letter
            targets[:, -1] = targets[:, -1] * RELEVANT + letter
        return Examples(symbols(inputs), symbols(targets), counted(size, rows, -1))

    def read(self, line: str) -> Tensor:
        found = sum(line.count(letter) for letter in LETTERS[:RELEVANT])
        if set(line) - set(LETTERS) or found != self.relevant:
            raise InputError(f"{line[:40]!r}: expected {self.relevant} letters A or B among c, d, e, f, such as cAfdBe")
        return torch.tensor([LETTERS.index(letter) for letter in line])[:, None]

    def answer(self, line: str, outputs: Float[Tensor, "time one outputs"]) -> str:
        names = list(product(LETTERS[:RELEVANT], repeat=self.relevant))
        return "".join(names[int(outputs[-1, 0].argmax())])
