"""The adding problem: two numbers among many are marked, and their sum is wanted at the end."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.problems.problem import Examples, Problem, counted
from peephole.errors import InputError

MARK = "*"  # before a number, in text: this one counts


@dataclass(frozen=True)
class Adding(Problem):
    """A number uniform in [0, 1) and a marker, 0 or 1, a step; out, after the last, the sum of the two marked numbers.

    As Le, Jaitly & Hinton 2015 and Arjovsky, Shah & Bengio 2016 define it: one marker in the first half, one in the
    second, each uniform there. Bai, Kolter & Koltun 2018 draw two different steps anywhere (`markers="anywhere"`). The
    origin, Hochreiter & Schmidhuber 1997 (experiment 4), has numbers in [-1, 1], a first marker among the first ten
    steps, markers of -1 at both ends, lengths that vary by a tenth, and the answer 0.5 + sum / 4.
    """

    name: ClassVar[str] = "adding"
    size_name: ClassVar[str] = "length"
    smallest: ClassVar[int] = 2

    # Steps of the longest sequences to train on.
    length: int = 200

    # Where the two markers stand. halves: one in the first half, one in the second, so that none is near both ends;
    # anywhere: at two different steps.
    markers: Literal["halves", "anywhere"] = "halves"

    def __post_init__(self) -> None:
        self._at_least(length=self.smallest)

    @property
    def features(self) -> int:
        return 2

    @property
    def outputs(self) -> int:
        return 1

    @property
    def valued(self) -> bool:
        return True

    @property
    def span(self) -> int:
        return self.length - 1

    @property
    def blind(self) -> float:
        return 1 / 6  # two uniform numbers, a variance of 1/12 each

    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        inputs = np.zeros((size, rows, 2), dtype=np.float32)
        inputs[:, :, 0] = random.random((size, rows), dtype=np.float32)
        steps, each = self._marked(random, rows, size), np.arange(rows)
        inputs[steps, each, 1] = 1.0
        targets = np.zeros((size, rows, 1), dtype=np.float32)
        targets[-1, :, 0] = inputs[steps, each, 0].sum(0)
        return Examples(torch.from_numpy(inputs), torch.from_numpy(targets), counted(size, rows, -1))

    def _marked(self, random: np.random.Generator, rows: int, size: int) -> NDArray[np.integer]:
        """The two marked steps of each row, `[2, B]`."""
        if self.markers == "halves":
            return np.stack([random.integers(0, size // 2, rows), random.integers(size // 2, size, rows)])
        first, second = random.integers(0, size, rows), random.integers(0, size - 1, rows)
        return np.stack([first, second + (second >= first)])  # the steps that are not the first, numbered

    def read(self, line: str) -> Tensor:
        words = line.split()
        try:
            values = [float(word.removeprefix(MARK)) for word in words]
        except ValueError:
            values = []
        marked = [word.startswith(MARK) for word in words]
        if not values or sum(marked) != 2 or not all(0.0 <= value <= 1.0 for value in values):
            raise InputError(
                f"{line[:40]!r}: expected numbers from 0 to 1, two of them marked, such as 0.3 *0.5 0.1 *0.25"
            )
        return torch.tensor([values, [float(mark) for mark in marked]]).T[:, None]

    def answer(self, line: str, outputs: Float[Tensor, "time one outputs"]) -> str:
        return f"{float(outputs[-1, 0, 0]):.3f}"
