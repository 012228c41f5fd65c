"""Brackets: which one closes what is open? Strings and comments hold brackets that do not count."""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from peephole.data.problems.brackets_text import PAIRS, Text, Writer, alphabet
from peephole.data.problems.problem import Examples, Problem, counted, symbols
from peephole.errors import InputError


@dataclass(frozen=True)
class Brackets(Problem):
    """Text like code in, a character a step; out, the bracket that closes the innermost one that is open.

    Answers count at the step before a closing bracket, and, where nothing is open, at the step before an opening one:
    the last class is "nothing is open". Brackets within "…", // … and /* … */ are not counted. Examples of a size have
    2 · size + 2 steps; in each row one bracket closes exactly `size` steps after it opened, at any depth, and none
    after more. Those around it stay open to the end, as in code that is cut.
    """

    name: ClassVar[str] = "brackets"
    size_name: ClassVar[str] = "distance"

    # Steps from a bracket to the one that closes it, at most, in training.
    distance: int = 50

    # Brackets open at a time, at most.
    depth: int = 4

    # Kinds of brackets: {} alone, {} and (), or {}, () and [].
    kinds: int = 3

    def __post_init__(self) -> None:
        self._at_least(distance=1, depth=1, kinds=1)
        if self.kinds > len(PAIRS):
            raise InputError(f"--kinds is {self.kinds}; expected at most {len(PAIRS)}: {', '.join(PAIRS)}")

    @property
    def alphabet(self) -> str:
        """The character that each symbol of the input is."""
        return alphabet(self.kinds)

    @property
    def symbols(self) -> int:
        return len(self.alphabet)

    @property
    def outputs(self) -> int:
        return self.kinds + 1

    @property
    def span(self) -> int:
        return self.distance

    @property
    def blind(self) -> float:
        return _entropy(self)

    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        steps = 2 * size + 2
        writer = Writer(random, rows, steps, self.kinds, self.depth)
        for row in range(rows):
            first = 1 + writer.below(steps - size - 1)
            level = writer.below(min(self.depth, first + 1))
            writer.enter(row, first, level, size)
            writer.group(row, first, size, level)
            writer.fill(row, first + size + 1, steps, level, size)
        text = writer.finished()
        return self._examples(text, torch.from_numpy(np.ascontiguousarray(text.asks.T)).float())

    def probe(self, random: np.random.Generator, rows: int, distance: int, depth: int) -> Examples:
        """Examples whose one answer, at the last step, is the bracket that closes one opened `distance` steps before.

        With it `depth` brackets are open. Raises `InputError` for a depth that the problem does not have.
        """
        if distance < 1 or not 1 <= depth <= self.depth:
            raise InputError(f"distance {distance}, depth {depth}: expected at least 1, and a depth up to {self.depth}")
        before = 10 * depth
        steps = before + distance
        writer = Writer(random, rows, steps, self.kinds, self.depth)
        for row in range(rows):
            writer.enter(row, before, depth - 1)
            writer.group(row, before, distance, depth - 1)
        return self._examples(writer.finished(), counted(steps, rows, -1))

    def _examples(self, text: Text, weights: Tensor) -> Examples:
        return Examples(symbols(_places(self.alphabet)[text.codes]), symbols(text.open), weights)

    def read(self, line: str) -> Tensor:
        line = line.replace("\\n", "\n")
        if unknown := "".join(dict.fromkeys(character for character in line if character not in self.alphabet)):
            raise InputError(f"{unknown[:40]!r}: expected characters that were trained on, {self.alphabet!r}")
        if not line:
            raise InputError("an empty line: expected code that ends where a bracket may close, such as 'f(x[1'")
        return torch.tensor([self.alphabet.index(character) for character in line])[:, None]

    def answer(self, line: str, outputs: Tensor) -> str:
        kind = int(outputs[-1, 0].argmax())
        return PAIRS[kind][1] if kind < self.kinds else "nothing is open"


@cache
def _places(characters: str) -> np.ndarray:
    """The symbol of each code point."""
    found = np.zeros(256, dtype=np.int64)
    found[np.frombuffer(characters.encode(), dtype=np.uint8)] = np.arange(len(characters))
    return found


@cache
def _entropy(problem: Brackets) -> float:
    """Entropy in nats of the answers, measured on 256 examples of the problem's size."""
    examples = problem.draw(np.random.default_rng(0), 256, problem.size)
    share = torch.bincount(examples.targets[examples.weights > 0]).double() / examples.answers
    return float(-torch.special.xlogy(share, share).sum())
