"""Training on problems of a size: how large the examples are, from step to step."""

from dataclasses import dataclass
from typing import Literal

from peephole.errors import InputError
from peephole.train.config import LoopConfig

MASTERED = 0.95  # share of right answers in a batch of about the largest size
IN_A_ROW = 3  # such batches before the size grows
GROWTH = 1.5  # of the size, each time
ABOUT = 0.8  # of the largest size: batches from there on show whether it is mastered


@dataclass(frozen=True)
class SizedTraining(LoopConfig):
    """How to train on examples that are made as they are needed, of a size that may grow."""

    # Sizes of the examples, one a batch. largest: all of the present largest; half: drawn evenly from half of it to it;
    # all: from the smallest to it, which teaches what does not depend on the size.
    sizes: Literal["largest", "half", "all"] = "largest"

    # How the largest size grows to what the problem says. none: it is so from the first step; steps: evenly, over
    # --grow-over steps; mastery: half as large again whenever 95 % of the answers were right three times in a row.
    curriculum: Literal["none", "steps", "mastery"] = "none"

    # Largest size that a curriculum begins with.
    first_size: int = 5

    # Steps over which --curriculum steps grows the size. Default: half of --steps.
    grow_over: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._positive("first_size", *(["grow_over"] if self.grow_over is not None else []))
        if self.curriculum == "steps" and self.grow_over is None and self.steps is None:
            raise InputError(
                "--curriculum steps grows over half of --steps, and a budget in minutes has none; give --grow-over"
            )

    @property
    def growing_steps(self) -> int:
        """Steps after which `--curriculum steps` has reached the largest size."""
        return self.grow_over or max(1, (self.steps or 2) // 2)


class Curriculum:
    """The largest size of examples from step to step; its state is two integers."""

    def __init__(self, config: SizedTraining, smallest: int, largest: int) -> None:
        self.config, self.final = config, largest
        self.first = largest if config.curriculum == "none" else min(largest, max(smallest, config.first_size))
        self.largest, self.mastered = self.first, 0

    def begin(self, step: int) -> int:
        """The largest size in step `step`, counted from 0."""
        if self.config.curriculum == "steps":
            share = min(1.0, step / self.config.growing_steps)
            self.largest = round(self.first + share * (self.final - self.first))
        return self.largest

    def hear(self, size: int, share_right: float) -> None:
        """Take note of what a batch of examples of one size came to."""
        if self.config.curriculum != "mastery" or self.largest == self.final or size < ABOUT * self.largest:
            return
        self.mastered = self.mastered + 1 if share_right >= MASTERED else 0
        if self.mastered == IN_A_ROW:
            self.largest = min(self.final, max(self.largest + 1, round(self.largest * GROWTH)))
            self.mastered = 0
