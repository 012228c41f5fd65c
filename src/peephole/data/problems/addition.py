"""Addition: two numbers of N digits in any base, least significant digit first, and their sum digit by digit."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from peephole.data.problems.problem import Examples, Problem, counted, symbols
from peephole.errors import InputError

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Addition(Problem):
    """A pair of digits (a, b) a step, as the symbol a · base + b; out, the digit of a + b at that place.

    After the last pair comes a pair of zeros, where the answer is the carry: N digits and N digits give N + 1.
    """

    name: ClassVar[str] = "addition"
    size_name: ClassVar[str] = "length"

    # Digits of the longest numbers to train on.
    length: int = 12

    # Base of the digits: 2 adds bits, 10 as on paper.
    base: int = 2

    def __post_init__(self) -> None:
        self._at_least(length=1, base=2)
        if self.base > len(DIGITS):
            raise InputError(f"--base is {self.base}; expected at most {len(DIGITS)}, the digits 0 to 9 and a to z")

    @property
    def symbols(self) -> int:
        return self.base**2

    @property
    def outputs(self) -> int:
        return self.base

    @property
    def span(self) -> int:
        return 1

    @property
    def blind(self) -> float:
        return math.log(self.base)

    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        pairs = np.zeros((2, rows, size + 1), dtype=np.int64)
        pairs[:, :, :size] = random.integers(0, self.base, (2, rows, size))
        inputs = pairs[0] * self.base + pairs[1]
        return Examples(symbols(inputs), symbols(self._sums(pairs[0], pairs[1])), counted(size + 1, rows))

    def _sums(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """The digits of first + second, `[B, N + 1]` each."""
        carry = np.zeros(len(first), dtype=np.int64)
        found = np.empty_like(first)
        for place in range(first.shape[1]):
            carry, found[:, place] = np.divmod(first[:, place] + second[:, place] + carry, self.base)
        return found

    def read(self, line: str) -> Tensor:
        terms = [term.strip().lower() for term in line.split("+")]
        allowed = set(DIGITS[: self.base])
        if len(terms) != 2 or not all(terms) or any(set(term) - allowed for term in terms):
            raise InputError(f"{line[:40]!r}: expected two numbers in base {self.base}, such as 1011+110")
        size = max(map(len, terms))
        first, second = (torch.tensor([DIGITS.index(digit) for digit in term.zfill(size + 1)[::-1]]) for term in terms)
        return (first * self.base + second)[:, None]

    def answer(self, line: str, outputs: Tensor) -> str:
        digits = "".join(DIGITS[digit] for digit in outputs[:, 0].argmax(-1).tolist())
        return digits[::-1].lstrip("0") or "0"
