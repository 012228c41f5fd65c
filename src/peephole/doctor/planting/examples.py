"""The batches of a planted training, each a function of its number: of a problem, and of a text."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from peephole.data.files import standard_library
from peephole.data.problems.problem import Problem
from peephole.doctor.case import Batch
from peephole.doctor.planting.plan import HEALTHY, Plan
from peephole.errors import InputError
from peephole.tasks.random_streams import HELD_OUT, TRAINING
from peephole.train.config import TrainingConfig
from peephole.train.curriculum import SizedTraining

POOL, FAULT, TEXT = 101, 102, 103  # streams of random numbers beside those of `random_streams`
CHARACTERS, STRETCH = 300_000, 500  # of a text that is read; of a stretch that is shuffled within
HELD_OUT_ROWS = 200  # sequences of a problem that are measured
LINES = 128  # of a text's held-out part, side by side: the rows that are measured


class Source(ABC):
    """Batches by their number. `healthy` is the same data without what was planted, but for how features are scaled."""

    plan: Plan
    seed: int

    @abstractmethod
    def batch(self, step: int) -> Batch:
        """What the training sees in a step, counted from 0."""

    @abstractmethod
    def held_out(self) -> tuple[Batch, ...]:
        """All that is measured."""

    @property
    @abstractmethod
    def healthy(self) -> "Source":
        """The same without the fault."""

    @property
    @abstractmethod
    def examples(self) -> int | None:
        """Targets to learn from in all; None where they are made without end."""

    def _changed(self, batch: Batch, *numbers: int, training: bool = True) -> Batch:
        if self.plan.features is not None:
            batch = replace(batch, inputs=self.plan.features(batch.inputs))
        if self.plan.window is None or (self.plan.training_only and not training):
            return batch
        return self.plan.window(batch, np.random.default_rng([self.seed, FAULT, *numbers]))


class ProblemSource(Source):
    """Examples of a problem: new ones at every step, or out of a pool; whole, or cut into windows."""

    def __init__(self, problem: Problem, training: SizedTraining, plan: Plan) -> None:
        self.problem, self.training, self.plan, self.seed = problem, training, plan, training.seed

    def batch(self, step: int) -> Batch:
        number, piece = divmod(step, self._pieces)
        random = np.random.default_rng([self.seed, TRAINING, number])
        if self.plan.pool is None:
            size = self.problem.size
            if self.training.sizes != "largest":
                least = self.problem.smallest if self.training.sizes == "all" else size // 2
                size = int(random.integers(max(self.problem.smallest, least), size + 1))
            drawn = Batch.of(self.problem.draw(random, self.training.batch_size, size))
        else:
            rows = torch.from_numpy(random.integers(0, self.plan.pool, self.training.batch_size))
            drawn = _rows(self._pool, rows)
        drawn = self._changed(drawn, number)
        carry = self.plan.unrelated > 0 and step > 0 and random.random() < self.plan.unrelated
        return replace(self._cut(drawn)[piece] if self.plan.cut else drawn, carry=carry or piece > 0)

    def held_out(self) -> tuple[Batch, ...]:
        random = np.random.default_rng([self.seed, HELD_OUT])
        drawn = Batch.of(self.problem.draw(random, HELD_OUT_ROWS, self.problem.size))
        if self.plan.repeated and self.plan.pool is not None:
            copied = round(self.plan.repeated * HELD_OUT_ROWS)
            again = _rows(self._pool, torch.from_numpy(random.integers(0, self.plan.pool, copied)))
            drawn = replace(
                drawn,
                inputs=torch.cat([again.inputs, drawn.inputs[:, copied:]], 1),
                targets=torch.cat([again.targets, drawn.targets[:, copied:]], 1),
            )
        drawn = self._changed(drawn, HELD_OUT_ROWS, training=False)
        return self._cut(drawn) if self.plan.cut else (drawn,)

    @property
    def healthy(self) -> "ProblemSource":
        return ProblemSource(self.problem, self.training, replace(HEALTHY, features=self.plan.features))

    @property
    def examples(self) -> int | None:
        if self.plan.pool is None:
            return None
        weights = self._pool.weights
        return self._pool.counts.numel() if weights is None else int(weights.sum())

    @cached_property
    def _pool(self) -> Batch:
        assert self.plan.pool is not None
        return Batch.of(self.problem.draw(np.random.default_rng([self.seed, POOL]), self.plan.pool, self.problem.size))

    @cached_property
    def _pieces(self) -> int:
        if self.plan.cut is None:
            return 1
        steps = self.problem.draw(np.random.default_rng(0), 1, self.problem.size).inputs.shape[0]
        return -(-steps // self.plan.cut)

    def _cut(self, batch: Batch) -> tuple[Batch, ...]:
        size = self.plan.cut or batch.steps
        parts = zip(batch.inputs.split(size), batch.targets.split(size), batch.counts.split(size), strict=True)
        return tuple(
            Batch(inputs, targets, weights, carry=number > 0) for number, (inputs, targets, weights) in enumerate(parts)
        )


class TextSource(Source):
    """A text in `batch_size` lanes, a window at a time: symbol 0 ends documents, and stands at the start."""

    def __init__(self, tokens: NDArray[np.int64], symbols: int, training: TrainingConfig, plan: Plan) -> None:
        self.tokens, self.symbols, self.training = tokens, symbols, training
        self.plan, self.seed = plan, training.seed

    def batch(self, step: int) -> Batch:
        rows, window = self.training.batch_size, self.training.window
        lane = (len(self.streams[0]) - 1) // rows
        place = step % -(-lane // window)
        first = np.arange(rows) * lane + place * window
        steps = min(window, lane - place * window)
        random = np.random.default_rng([self.seed, FAULT, step])
        if random.random() < self.plan.unrelated:
            first = random.integers(0, len(self.streams[0]) - 1 - steps, rows)
        batch = _windows(self.streams[0], first, steps)
        carry = place > 0 or (step > 0 and self.plan.unrelated > 0)
        return replace(self._changed(batch, step), carry=carry)

    def held_out(self) -> tuple[Batch, ...]:
        window, tokens = self.training.window, self.streams[1]
        rows = min(LINES, (len(tokens) - 1) // window)
        lane = (len(tokens) - 1) // rows
        found: list[Batch] = []
        for place in range(lane // window):
            batch = _windows(tokens, np.arange(rows) * lane + place * window, window)
            found.append(replace(self._changed(batch, place, 1, training=False), carry=place > 0))
        return tuple(found)

    @property
    def healthy(self) -> "TextSource":
        longer = replace(self.training, window=max(32, self.training.window))
        return TextSource(self.tokens, self.symbols, longer, HEALTHY)

    @property
    def examples(self) -> int | None:
        return len(self.streams[0]) - 1

    @cached_property
    def streams(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The tokens of training and of held-out text: the last tenth."""
        random = np.random.default_rng([self.seed, TEXT])
        cut = len(self.tokens) * 9 // 10
        training, held_out = self.tokens[: self.plan.characters or cut][:cut].copy(), self.tokens[cut:].copy()
        for stream in (training, held_out):
            for start in range(1, len(stream), STRETCH):
                if random.random() < self.plan.shuffled:
                    random.shuffle(stream[start : start + STRETCH])
        copied = round(self.plan.repeated * len(held_out))
        if copied:
            start = int(random.integers(0, max(1, len(training) - copied)))
            again = training[start : start + copied]
            held_out[: len(again)] = again
        return training, held_out


def read_text(files: Sequence[Path]) -> tuple[NDArray[np.int64], int]:
    """The beginning of the text of these files as symbols, and how many symbols there are; without files, part of the
    running Python's standard library. 0 ends documents. `InputError` for a text that is too short.
    """
    parts: list[str] = []
    for path in files or standard_library()[::7]:
        parts.append(path.read_text(encoding="utf-8", errors="replace"))
        if sum(map(len, parts)) >= CHARACTERS:
            break
    text = "\0".join(["", *parts])[:CHARACTERS]
    if len(text) < 10_000:
        raise InputError(f"the text has {len(text):,} characters; expected at least 10,000; give more files")
    alphabet = {character: number for number, character in enumerate(sorted({"\0", *text}))}
    return np.array([alphabet[character] for character in text], dtype=np.int64), len(alphabet)


def _rows(batch: Batch, rows: torch.Tensor) -> Batch:
    weights = None if batch.weights is None else batch.weights[:, rows]
    return replace(batch, inputs=batch.inputs[:, rows], targets=batch.targets[:, rows], weights=weights)


def _windows(tokens: NDArray[np.int64], first: NDArray[np.int64], steps: int) -> Batch:
    """Windows side by side that begin at tokens `first`, with what follows each token."""
    places = torch.from_numpy(first[None, :] + np.arange(steps)[:, None])  # [T, B]
    stream = torch.from_numpy(tokens)
    inputs = stream[places]
    resets = inputs == 0
    return Batch(inputs, stream[places + 1], None, resets if bool(resets.any()) else None)
