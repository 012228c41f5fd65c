"""Batches of whole sequences, those of like length together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.sequences.store import Pair, Part, padded
from peephole.errors import InputError
from peephole.shapes import Weights

POOL = 32  # batches whose sequences are put in order of length together: still another mixture in every pass


@dataclass(frozen=True, eq=False)
class SequenceBatch:
    """Whole sequences side by side, time first.

    Attributes:
        inputs: `[T, B, …]`, zeros after the end of a row.
        targets: `[T, B, …]`, or `[1, B, …]` where there is one answer a sequence.
        weights: 1 where a target counts, `[T, B]` or `[1, B]`; 0 after the end of a row.
        lengths: steps of each row, `[B]`.
        passed: passes over the data before this batch, for what grows while training.
        rows: where several targets are to one of the inputs, to which each is, `[B]`; None where each has its own.
    """

    inputs: Tensor
    targets: Tensor
    weights: Weights
    lengths: Int[Tensor, " batch"]
    carry: bool = False
    passed: float = 0.0
    rows: Int[Tensor, " answers"] | None = None

    @property
    def answers(self) -> int:
        """How many targets count."""
        return int((self.weights > 0).sum())

    @property
    def target_lengths(self) -> Int[Tensor, " batch"]:
        """Targets of each row, `[B]`."""
        return (self.weights > 0).sum(0)


Change = Callable[[Pair, np.random.Generator], Pair]  # what training makes of a sequence each time that it is read
Make = Callable[[Pair], Pair]  # what a net reads in place of a sequence as it is stored


def batch_of(sequences: Sequence[Pair]) -> SequenceBatch:
    """Sequences with their targets as one batch; integers become int64, numbers float32."""
    lengths = np.array([len(inputs) for inputs, _ in sequences], dtype=np.int64)
    wanted = np.array([len(targets) for _, targets in sequences], dtype=np.int64)
    steps = max(1, int(lengths.max()))
    inputs = padded([inputs for inputs, _ in sequences], steps)
    targets = padded([targets for _, targets in sequences], max(1, int(wanted.max())))
    weights = (np.arange(len(targets))[:, None] < wanted).astype(np.float32)
    return SequenceBatch(_tensor(inputs), _tensor(targets), torch.from_numpy(weights), torch.from_numpy(lengths))


def in_order(
    part: Part, rows: int, most: int | None = None, make: Make | None = None
) -> Iterator[tuple[NDArray[np.int64], SequenceBatch]]:
    """Every sequence of a part once, those of like length together: the numbers of the rows, and the batch.

    `most`: only so many sequences, at even distances. `make`: what becomes of each before it is batched.
    """
    chosen = np.arange(len(part))
    if most is not None and most < len(part):
        chosen = np.unique(np.linspace(0, len(part) - 1, most).astype(np.int64))
    order = chosen[_by_length(part, chosen)]
    for start in range(0, len(order), rows):
        numbers = order[start : start + rows]
        pairs = [part.sequence(number) for number in numbers.tolist()]
        yield numbers, batch_of(pairs if make is None else [make(pair) for pair in pairs])


class LengthBatches:
    """A part again and again, in another order in every pass, drawn from (seed, pass): a resumed run sees the same.

    Sequences of like length stand together, so that little is padded; `padding` says how much. With several processes,
    `rank` reads its share of each batch. `change` is what becomes of a sequence each time, such as noise.
    """

    def __init__(
        self, part: Part, rows: int, seed: int, rank: int = 0, world_size: int = 1, change: Change | None = None
    ) -> None:
        if rows % world_size:
            raise InputError(f"--batch-size is {rows}; expected a multiple of the {world_size} processes")
        if len(part) < world_size:
            raise InputError(f"{len(part)} sequences for {world_size} processes; expected at least one for each")
        self.part, self.seed, self.rank, self.world_size, self.change = part, seed, rank, world_size, change
        self.rows = max(world_size, min(rows, len(part) - len(part) % world_size))
        self.epoch = self.position = 0
        self._order: tuple[int, list[NDArray[np.int64]]] | None = None

    @property
    def windows_per_epoch(self) -> int:
        """Batches of a pass over the part."""
        return -(-len(self.part) // self.rows) if self.world_size == 1 else len(self.part) // self.rows

    @property
    def padding(self) -> float:
        """Share of the steps of all batches that lie after the end of a row, in the pass that it is in."""
        lengths = self.part.lengths
        steps = sum(int(lengths[numbers].max()) * len(numbers) for numbers in self._batches(self.epoch))
        return 1 - int(sum(lengths[numbers].sum() for numbers in self._batches(self.epoch))) / max(1, steps)

    def next(self) -> SequenceBatch:
        """The next batch; after the last of a pass comes the first of another."""
        batches = self._batches(self.epoch)
        numbers = batches[self.position][self.rank :: self.world_size]
        found = [self.part.sequence(number) for number in numbers.tolist()]
        if self.change is not None:
            random = np.random.default_rng([self.seed, 2, self.epoch, self.position, self.rank])
            found = [self.change(pair, random) for pair in found]
        passed = self.epoch + self.position / len(batches)
        self.position += 1
        if self.position == len(batches):
            self.epoch, self.position = self.epoch + 1, 0
        return replace(batch_of(found), passed=passed)

    def state_dict(self) -> dict[str, int]:
        """Where it is."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken."""
        self.epoch, self.position = state["epoch"], state["position"]

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """The numbers of the sequences of each batch of a pass."""
        if self._order is None or self._order[0] != epoch:
            random = np.random.default_rng([self.seed, 1, epoch])
            order = random.permutation(len(self.part))
            found: list[NDArray[np.int64]] = []
            for start in range(0, len(order), self.rows * POOL):
                pool = order[start : start + self.rows * POOL]
                pool = pool[_by_length(self.part, pool)]
                found += [pool[place : place + self.rows] for place in range(0, len(pool), self.rows)]
            if self.world_size > 1:
                found = [numbers for numbers in found if len(numbers) == self.rows]
            self._order = epoch, [found[place] for place in random.permutation(len(found)).tolist()]
        return self._order[1]


def _by_length(part: Part, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """An order of these sequences by their steps, and among those of as many by their targets."""
    return np.lexsort((part.target_lengths[numbers], part.lengths[numbers]))


def _tensor(array: NDArray[np.generic]) -> Tensor:
    kind = np.float32 if np.issubdtype(array.dtype, np.floating) else np.int64
    return torch.from_numpy(array.astype(kind, copy=False))
