"""Batches of pictures, each with several of its captions, so that the encoder sees a picture once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.captioning.pictures import Pictures
from peephole.data.sequences.batches import SequenceBatch, batch_of
from peephole.data.sequences.store import Part
from peephole.errors import InputError

Numbers = NDArray[np.int64]
Change = Callable[[Tensor, np.random.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class CaptionBatch(SequenceBatch):
    """Captions of pictures.

    Attributes:
        inputs: pictures `[N, 3, size, size]`, from 0 to 1.
        targets, weights: words of the captions, `[U, B]`.
        rows: to which picture each caption is, `[B]`.
        lengths: 1 for each picture, which has no steps.
        named: of each picture which words are in any of its captions, in the batch or not, `[N, V]`; None where nobody
            asked.
    """

    lengths: Int[Tensor, " pictures"]
    named: Float[Tensor, "pictures words"] | None = None


def by_picture(part: Part) -> list[Numbers]:
    """Of each picture of a part, in order, the numbers of its captions, which stand beside each other."""
    pictures = np.asarray(part.inputs)
    starts = np.flatnonzero(np.diff(pictures, prepend=-1))
    return np.split(np.arange(len(pictures)), starts[1:])


def pixels(pictures: Pictures, numbers: Sequence[int]) -> Float[Tensor, "chosen 3 size size"]:
    """Some of the pictures, from 0 to 1, laid out as convolutions like them best."""
    chosen = torch.from_numpy(np.stack([pictures[number] for number in numbers]))
    return chosen.permute(0, 3, 1, 2).float() / 255  # each place's three colours stay beside each other in memory


def batch_of_captions(part: Part, pictures: Pictures, captions: Sequence[Numbers]) -> CaptionBatch:
    """Some captions of each of some pictures."""
    pairs = [part.sequence(number) for numbers in captions for number in numbers.tolist()]
    rows = torch.from_numpy(np.repeat(np.arange(len(captions)), [len(numbers) for numbers in captions]))
    inputs = pixels(pictures, [int(part.inputs[numbers[0]]) for numbers in captions])
    found = batch_of(pairs)
    lengths = torch.ones(len(captions), dtype=torch.int64)
    return CaptionBatch(inputs, found.targets, found.weights, lengths, rows=rows)


def words_in(part: Part, captions: Sequence[Numbers], symbols: int) -> Float[Tensor, "pictures words"]:
    """1 for each of the `symbols` words that is in any of the captions of a picture."""
    found = torch.zeros(len(captions), symbols)
    for row, numbers in enumerate(captions):
        found[row, torch.from_numpy(np.concatenate([part.sequence(number)[1] for number in numbers.tolist()]))] = 1
    return found


def in_order(
    part: Part, pictures: Pictures, count: int, most: int | None = None
) -> Iterator[tuple[Numbers, CaptionBatch]]:
    """Every picture of a part once, `count` a batch, with all of its captions: the numbers of the captions, the batch.

    `most`: only so many pictures, at even distances.
    """
    groups = by_picture(part)
    if most is not None and most < len(groups):
        groups = [groups[place] for place in np.unique(np.linspace(0, len(groups) - 1, most).astype(np.int64))]
    for start in range(0, len(groups), count):
        chosen = groups[start : start + count]
        yield np.concatenate(chosen), batch_of_captions(part, pictures, chosen)


class PictureBatches:
    """A part again and again, in another order in every pass, drawn from (seed, pass): a resumed run sees the same.

    A batch is `count` pictures with up to `each` captions of every one, drawn anew in every pass; 0 takes all. With
    several processes, `rank` reads its share of each batch. `change` is what becomes of pictures each time; with
    `symbols`, how many words there are, batches say which of them are in all captions of a picture.
    """

    def __init__(
        self,
        part: Part,
        pictures: Pictures,
        count: int,
        seed: int,
        each: int = 0,
        rank: int = 0,
        world_size: int = 1,
        change: Change | None = None,
        symbols: int = 0,
    ) -> None:
        self.groups = by_picture(part)
        if count % world_size:
            raise InputError(f"--batch-size is {count}; expected a multiple of the {world_size} processes")
        if len(self.groups) < world_size:
            raise InputError(f"{len(self.groups)} pictures for {world_size} processes; expected at least one for each")
        self.part, self.pictures, self.seed, self.each, self.change = part, pictures, seed, each, change
        self.rank, self.world_size, self.symbols = rank, world_size, symbols
        self.count = max(world_size, min(count, len(self.groups) - len(self.groups) % world_size))
        self.epoch = self.position = 0

    @property
    def windows_per_epoch(self) -> int:
        """Batches of a pass over the part."""
        whole = len(self.groups) // self.count
        return whole if self.world_size > 1 else -(-len(self.groups) // self.count)

    def next(self) -> CaptionBatch:
        """The next batch; after the last of a pass comes the first of another."""
        order = np.random.default_rng([self.seed, 1, self.epoch]).permutation(len(self.groups))
        start = self.position * self.count
        chosen = order[start : start + self.count][self.rank :: self.world_size]
        random = np.random.default_rng([self.seed, 2, self.epoch, self.position, self.rank])
        batch = batch_of_captions(self.part, self.pictures, [self._drawn(place, random) for place in chosen.tolist()])
        inputs = batch.inputs if self.change is None else self.change(batch.inputs, random)
        passed = self.epoch + self.position / self.windows_per_epoch
        self.position += 1
        if self.position == self.windows_per_epoch:
            self.epoch, self.position = self.epoch + 1, 0
        whole = [self.groups[place] for place in chosen.tolist()]
        named = words_in(self.part, whole, self.symbols) if self.symbols else None
        return replace(batch, inputs=inputs, passed=passed, named=named)

    def _drawn(self, place: int, random: np.random.Generator) -> Numbers:
        captions = self.groups[place]
        if not 0 < self.each < len(captions):
            return captions
        return np.sort(random.choice(captions, self.each, replace=False))

    def state_dict(self) -> dict[str, int]:
        """Where it is."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken."""
        self.epoch, self.position = state["epoch"], state["position"]
