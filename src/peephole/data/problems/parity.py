"""Parity: is the number of ones so far even or odd?"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from peephole.data.problems.problem import Examples, Problem, counted, symbols
from peephole.errors import InputError


@dataclass(frozen=True)
class Parity(Problem):
    """Bits in; out, at each step or after the last, 1 where the number of ones so far is odd."""

    name: ClassVar[str] = "parity"
    size_name: ClassVar[str] = "length"

    # Bits of the longest strings to train on.
    length: int = 20

    # When the net must answer. each: the parity so far, at every bit; last: of the whole string, after it.
    answers: Literal["each", "last"] = "each"

    def __post_init__(self) -> None:
        self._at_least(length=1)

    @property
    def symbols(self) -> int:
        return 2

    @property
    def outputs(self) -> int:
        return 2

    @property
    def span(self) -> int:
        return 1 if self.answers == "each" else self.length

    @property
    def blind(self) -> float:
        return math.log(2)

    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        bits = random.integers(0, 2, (rows, size))
        parity = bits.cumsum(1) % 2
        return Examples(symbols(bits), symbols(parity), counted(size, rows, 0 if self.answers == "each" else -1))

    def read(self, line: str) -> Tensor:
        if not line or set(line) - {"0", "1"}:
            raise InputError(f"{line[:40]!r}: expected a string of 0 and 1, such as 10110")
        return torch.tensor([int(bit) for bit in line])[:, None]

    def answer(self, line: str, outputs: Tensor) -> str:
        return "odd" if int(outputs[-1, 0].argmax()) else "even"
