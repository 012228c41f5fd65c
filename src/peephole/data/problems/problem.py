"""What a problem is: sequences of a size that one can choose, and the answers that are wanted."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from peephole import divergence
from peephole.errors import InputError
from peephole.shapes import Symbols, Weights

CLOSE = 0.04  # |answer − value| under which a number counts as right (Hochreiter & Schmidhuber 1997, experiment 4)


@dataclass(frozen=True, eq=False)
class Examples:
    """Sequences of one length with their answers, time first.

    Attributes:
        inputs: symbols `[T, B]` of int64, or features `[T, B, I]` of float32.
        targets: classes `[T, B]` of int64, or values `[T, B, O]` of float32.
        weights: `[T, B]`, 1 at the steps whose answer counts and 0 elsewhere.
    """

    inputs: Symbols | Float[Tensor, "time batch features"]
    targets: Symbols | Float[Tensor, "time batch values"]
    weights: Weights

    @property
    def answers(self) -> int:
        """How many answers count."""
        return int(self.weights.sum())

    def divergence(self, outputs: Float[Tensor, "time batch outputs"]) -> Float[Tensor, ""]:
        """Sum over the answers that count: KL in nats, or, of values, the squared error."""
        if self.targets.is_floating_point():
            return 2 * divergence.l2(outputs, self.targets, self.weights)
        return divergence.kl(outputs, self.targets, self.weights)

    def right(self, outputs: Float[Tensor, "time batch outputs"]) -> Float[Tensor, "time batch"]:
        """1 where an answer counts and is right, 0 elsewhere: the likeliest class, or a value within 0.04."""
        if self.targets.is_floating_point():
            close = ((outputs - self.targets).abs() < CLOSE).all(-1)
        else:
            close = outputs.argmax(-1) == self.targets
        return close.float() * self.weights


@dataclass(frozen=True)
class Problem(ABC):
    """A problem with its options. Subclasses are frozen dataclasses whose `__post_init__` checks them.

    `size` is what grows: the option that `size_name` names. Examples of any size can be drawn, whatever the size that a
    net is trained to.
    """

    name: ClassVar[str]
    size_name: ClassVar[str]
    smallest: ClassVar[int] = 1  # size that there can be

    @property
    def size(self) -> int:
        """The largest size to train on."""
        return int(getattr(self, self.size_name))

    @property
    def symbols(self) -> int:
        """Number of symbols of the input; 0 where it is numbers."""
        return 0

    @property
    def features(self) -> int:
        """Numbers a step; 0 where the input is symbols."""
        return 0

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Number of classes, or of values a step."""

    @property
    def valued(self) -> bool:
        """Whether answers are numbers, with the divergence L2; otherwise they are classes, with KL."""
        return False

    @property
    @abstractmethod
    def span(self) -> int:
        """Steps from what has to be remembered to the answer, at most, in examples of `size`."""

    @property
    @abstractmethod
    def blind(self) -> float:
        """Mean divergence of the best answer that looks at no input: nats, or squared error."""

    @abstractmethod
    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        """`rows` examples of one size."""

    def read(self, line: str) -> Tensor:
        """The inputs that a line of text spells, `[T, 1]` or `[T, 1, I]`. `InputError` for what it cannot be."""
        raise InputError(f"{self.name} has no notation to be read from; measure it with `peephole eval`")

    def answer(self, line: str, outputs: Float[Tensor, "time one outputs"]) -> str:
        """What a net answered to `line`, in text."""
        raise InputError(f"{self.name} has no notation to be written in; measure it with `peephole eval`")

    def _at_least(self, **least: int) -> None:
        """Raise `InputError` for options below what they can be."""
        for name, limit in least.items():
            if getattr(self, name) < limit:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected at least {limit}")


def symbols(rows: NDArray[np.integer]) -> Symbols:
    """Rows `[B, T]` as a tensor `[T, B]`."""
    return torch.from_numpy(np.ascontiguousarray(rows.T.astype(np.int64)))


def counted(steps: int, rows: int, first: int = 0) -> Weights:
    """Weights `[T, B]`: answers count from step `first` on, -1 for the last alone."""
    weights = torch.zeros(steps, rows)
    weights[first:] = 1.0
    return weights
