"""Copying memory: a few symbols are shown, nothing for long, and then they are wanted back."""

import math
from dataclasses import dataclass
from string import ascii_lowercase
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from peephole.data.problems.problem import Examples, Problem, counted, symbols
from peephole.errors import InputError

BLANK = "-"  # in text


@dataclass(frozen=True)
class Copying(Problem):
    """In come items, blanks, a delimiter, and blanks for as many steps as there were items; out the items, there.

    As Arjovsky, Shah & Bengio 2016 lay it out, after Hochreiter & Schmidhuber 1997: `items` symbols of an alphabet,
    `delay - 1` blanks, the delimiter, `items` blanks, T = delay + 2 items steps. Wanted are blanks up to and with the
    delimiter, then the items in their order.

    What counts is a choice. The papers average over all steps, most of which want a blank: a net that has kept nothing
    gets over 90 % of them right, and its divergence, items log(alphabet) / T, shrinks as the delay grows. So the items
    alone count unless `answers` says otherwise: a share of right answers is then one of items brought back, chance is
    1 in `alphabet`, and the divergence without memory log(alphabet) at every delay. Multiplied by items / T the two
    compare, once a net answers the blanks.
    """

    name: ClassVar[str] = "copying"
    size_name: ClassVar[str] = "delay"

    # Steps from the last item to the delimiter, in the sequences with the longest.
    delay: int = 100

    # Items to remember.
    items: int = 10

    # Different items that there are.
    alphabet: int = 8

    # Which answers count. items: those after the delimiter; all: the blanks before them too, as papers have it.
    answers: Literal["items", "all"] = "items"

    def __post_init__(self) -> None:
        self._at_least(delay=1, items=1, alphabet=2)
        if self.alphabet > len(ascii_lowercase):
            raise InputError(
                f"--alphabet is {self.alphabet}; expected at most {len(ascii_lowercase)}, the letters a to z"
            )

    @property
    def symbols(self) -> int:
        return self.alphabet + 2

    @property
    def outputs(self) -> int:
        return self.alphabet + 1

    @property
    def span(self) -> int:
        return self.delay + self.items

    @property
    def blind(self) -> float:
        share = 1.0 if self.answers == "items" else self.items / (self.delay + 2 * self.items)
        return share * math.log(self.alphabet)

    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        inputs = symbols(random.integers(0, self.alphabet, (rows, self.items)))
        targets = torch.full((size + 2 * self.items, rows), self.alphabet)
        targets[-self.items :] = inputs
        weights = counted(len(targets), rows, -self.items if self.answers == "items" else 0)
        return Examples(self._layout(inputs, size), targets, weights)

    def _layout(self, items: Int[Tensor, "items batch"], delay: int) -> Int[Tensor, "time batch"]:
        blank, delimiter = self.alphabet, self.alphabet + 1
        inputs = torch.full((delay + 2 * self.items, items.shape[1]), blank)
        inputs[: self.items] = items
        inputs[self.items + delay - 1] = delimiter
        return inputs

    def read(self, line: str) -> Tensor:
        allowed = ascii_lowercase[: self.alphabet]
        if len(line) != self.items or set(line) - set(allowed):
            raise InputError(
                f"{line[:40]!r}: expected {self.items} letters from a to {allowed[-1]}; the delay is added"
            )
        return self._layout(torch.tensor([allowed.index(letter) for letter in line])[:, None], self.delay)

    def answer(self, line: str, outputs: Float[Tensor, "time one outputs"]) -> str:
        letters = ascii_lowercase[: self.alphabet] + BLANK
        return "".join(letters[place] for place in outputs[-self.items :, 0].argmax(-1).tolist())
