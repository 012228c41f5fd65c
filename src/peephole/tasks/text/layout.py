"""A text laid out to be read side by side, step by step."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Layout:
    """A text cut into lanes of equal length, each read from some steps before what is scored in it.

    Attributes:
        inputs: int64 `[T, B]`; after the end of the text `<eod>`.
        targets: what follows each, `[T, B]`.
        begins: where the state starts anew: at the beginning of each lane and after each document, bool `[T, B]`.
        places: which of the text's targets it is, `[T, B]`; −1 where it is only read, or is no target at all.
    """

    inputs: Tensor
    targets: Tensor
    begins: Tensor
    places: Tensor

    @classmethod
    def of(cls, tokens: NDArray[np.unsignedinteger], eod: int, lanes: int = 1, context: int = 0) -> "Layout":
        """`tokens[1:]` are the targets; each lane but the first is read from `context` steps earlier."""
        count = len(tokens) - 1
        length = -(-count // lanes)
        context = context if lanes > 1 else 0
        steps = np.arange(context + length)[:, None]
        places = steps - context + length * np.arange(lanes)  # [T, B]
        there = (places >= 0) & (places < count)
        at = np.clip(places, 0, count - 1)
        inputs = np.where(there, tokens[at].astype(np.int64), eod)
        targets = np.where(there, tokens[at + 1].astype(np.int64), eod)
        begins = (inputs == eod) | (places == 0) | (steps == 0)
        return cls(*map(torch.from_numpy, (inputs, targets, begins, np.where(there & (steps >= context), places, -1))))

    @property
    def lanes(self) -> int:
        """How many are read side by side."""
        return self.inputs.shape[1]

    def blocks(self, steps: int) -> list[slice]:
        """The steps, so many at a time."""
        return [slice(first, first + steps) for first in range(0, len(self.inputs), steps)]
