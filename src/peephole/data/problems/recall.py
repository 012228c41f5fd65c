"""Recall: which pattern came first, whatever came between? "Jane had a quick lunch in the bistro. Then she"."""

import math
import re
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from peephole.data.problems.problem import Examples, Problem, counted, symbols
from peephole.data.problems.recall_words import CUE, NAMES, filler, vocabulary
from peephole.errors import InputError

FIRSTS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DISTRACTORS = FIRSTS.lower()
QUESTION = "?"


@dataclass(frozen=True)
class Recall(Problem):
    """Pattern 1 at the first step, then anything, and `lag` steps after pattern 1 a cue: which pattern was it?

    A sequence has lag + 1 steps, the lag − 1 between the first and the cue say nothing of the answer, and the answer
    counts at the cue alone. With words, pattern 1 is one of eight names a class and the answer the pronoun that goes
    back to it; in between stand sentences in which nobody is named. With symbols, pattern 1 is the symbol of its class.
    """

    name: ClassVar[str] = "recall"
    size_name: ClassVar[str] = "lag"

    # Steps from pattern 1 to the cue, at most, in training.
    lag: int = 500

    # How many answers there are: she and he with words, they as a third; up to 26 with symbols.
    patterns: int = 2

    # What stands in the sequence. words: a name, sentences of English, "then", one word a step; symbols: a letter for
    # each pattern and a few others that mean nothing.
    form: Literal["words", "symbols"] = "words"

    # Letters that mean nothing (symbols only).
    distractors: int = 4

    def __post_init__(self) -> None:
        self._at_least(lag=1, patterns=2, distractors=1)
        most = len(NAMES) if self.form == "words" else len(FIRSTS)
        if self.patterns > most:
            raise InputError(f"--patterns is {self.patterns}; expected at most {most} with --form {self.form}")
        if self.distractors > len(DISTRACTORS):
            raise InputError(f"--distractors is {self.distractors}; expected at most {len(DISTRACTORS)}, a to z")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """What each symbol of the input is: the cue, then the first patterns class by class, then all else."""
        if self.form == "words":
            return vocabulary(self.patterns)
        return (QUESTION, *FIRSTS[: self.patterns], *DISTRACTORS[: self.distractors])

    @property
    def classes(self) -> tuple[str, ...]:
        """What each class of the answer is."""
        return tuple(NAMES)[: self.patterns] if self.form == "words" else tuple(FIRSTS[: self.patterns])

    @property
    def symbols(self) -> int:
        return len(self.vocabulary)

    @property
    def outputs(self) -> int:
        return self.patterns

    @property
    def span(self) -> int:
        return self.lag

    @property
    def blind(self) -> float:
        return math.log(self.patterns)

    def draw(self, random: np.random.Generator, rows: int, size: int) -> Examples:
        each = self._ways
        firsts = random.integers(0, self.patterns * each, rows)
        inputs = np.zeros((rows, size + 1), dtype=np.int64)  # the cue is symbol 0
        inputs[:, 0] = 1 + firsts
        if self.form == "words":
            for row in inputs:
                row[1:-1] = filler(random, size - 1, self.patterns)
        else:
            inputs[:, 1:-1] = 1 + self.patterns + random.integers(0, self.distractors, (rows, size - 1))
        targets = np.broadcast_to((firsts // each)[:, None], inputs.shape)
        return Examples(symbols(inputs), symbols(targets), counted(size + 1, rows, -1))

    @property
    def _ways(self) -> int:
        """How many first patterns a class has, the same for each."""
        return len(NAMES["she"]) if self.form == "words" else 1

    def read(self, line: str) -> Tensor:
        if self.form == "words":
            items, cue, example = re.findall(r"\w+|[^\w\s]", line.lower()), CUE, "jane had a quick lunch . then"
        else:
            items, cue, example = list("".join(line.split())), QUESTION, "A" + DISTRACTORS[: self.distractors] + "?"
        place = {item: number for number, item in enumerate(self.vocabulary)}
        if unknown := [item for item in dict.fromkeys(items) if item not in place]:
            raise InputError(f"{', '.join(unknown)[:60]}: expected words that were trained on, such as {example!r}")
        numbers = [place[item] for item in items]
        if len(items) < 2 or not 1 <= numbers[0] <= self.patterns * self._ways or items[-1] != cue:
            first = "a name" if self.form == "words" else f"a letter {FIRSTS[0]} to {FIRSTS[self.patterns - 1]}"
            raise InputError(f"{line[:40]!r}: expected {first} first and {cue!r} last, such as {example!r}")
        return torch.tensor(numbers)[:, None]

    def answer(self, line: str, outputs: Tensor) -> str:
        return self.classes[int(outputs[-1, 0].argmax())]
