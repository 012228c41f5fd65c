"""Batches from a part of a corpus: lanes for truncated back-propagation, whole documents for full back-propagation.

Both know where they are as two plain integers, `epoch` and `position`, so that a run that is resumed sees what it would
have seen. Rows are copied from the memory map batch by batch; the corpus is never held in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from peephole.data.corpus import Part
from peephole.errors import InputError
from peephole.shapes import Resets, Symbols, Weights

SCAN = 1 << 24  # tokens looked through at a time for document boundaries


@dataclass(frozen=True)
class Window:
    """One step of training: `inputs` and the tokens that follow them.

    Attributes:
        resets: where the state starts anew before the step; None where nowhere.
        weights: what each target counts; None where all count 1.
        carry: whether the state goes on from the window before; otherwise it starts from zero.
        tokens: the number of targets that count.
    """

    inputs: Symbols
    targets: Symbols
    resets: Resets | None
    weights: Weights | None
    carry: bool
    tokens: int


class Lanes:
    """The part cut into `batch_size` lanes of equal length, read side by side, `window` steps at a time.

    Lane b reads `tokens[b·lane : (b+1)·lane]`; the tokens left over at the end, fewer than a lane, are not read. With
    several processes, `rank` reads lanes rank, rank + world_size, and so on.

    Raises:
        InputError: the part is too short for the batch, or the batch does not divide among the processes.
    """

    def __init__(self, part: Part, batch_size: int, window: int, eod: int, rank: int = 0, world_size: int = 1) -> None:
        _check_batch(batch_size, rank, world_size)
        if window < 1:
            raise InputError(f"window is {window}: expected 1 step or more, for example --window 64")
        self.lane: int = (len(part.tokens) - 1) // batch_size
        if self.lane < window:
            raise InputError(_too_short(part, batch_size, window, world_size))
        used = self.lane * batch_size
        tokens = np.asarray(part.tokens)  # still the memory map, without the subclass
        self._inputs = tokens[:used].reshape(batch_size, self.lane)[rank::world_size]
        self._targets = tokens[1 : used + 1].reshape(batch_size, self.lane)[rank::world_size]
        self._window = window
        self._eod = eod
        self.epoch: int = 0
        self.position: int = 0

    @property
    def windows_per_epoch(self) -> int:
        """How many windows an epoch has; the last may be shorter than the others."""
        return -(-self.lane // self._window)

    def next(self) -> Window:
        """The next window, `[T, B]` with `T <= window` and B this process's lanes; epochs follow without end."""
        steps = slice(self.position, self.position + self._window)
        inputs = _tensor(self._inputs[:, steps])
        resets = inputs == self._eod
        window = Window(
            inputs=inputs,
            targets=_tensor(self._targets[:, steps]),
            resets=resets if bool(resets.any()) else None,
            weights=None,
            carry=self.position > 0,
            tokens=inputs.numel(),
        )
        self.position += len(inputs)
        if self.position == self.lane:
            self.epoch, self.position = self.epoch + 1, 0
        return window

    def state_dict(self) -> dict[str, int]:
        """Where reading is: the epoch, and the step within the lanes."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken. InputError if that place is outside the lanes."""
        self.epoch, self.position = _place(state, self.lane)


class Documents:
    """Whole documents, `batch_size` at a time, in an order drawn anew each epoch from `seed`.

    Each begins with `<eod>` as its first input and ends with `<eod>` as its last target, except where a cut fell
    inside one. Shorter ones are padded at their end, with weight 0. With several processes, `rank` reads every
    world_size-th document of each batch.

    Raises:
        InputError: a document is longer than `longest` tokens, or the batch does not divide among the processes.
    """

    def __init__(
        self, part: Part, batch_size: int, longest: int, eod: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        _check_batch(batch_size, rank, world_size)
        self._tokens = part.tokens
        self._starts, self._lengths = _document_bounds(part.tokens, eod)
        length = int(self._lengths.max())
        if length > longest:
            raise InputError(
                f"a document of {length:,} tokens: full back-propagation keeps every step of it in memory, and was "
                f"asked for at most {longest:,}; use truncated back-propagation, or separate shorter documents"
            )
        self._batch_size = batch_size
        self._eod = eod
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._order = np.empty(0, dtype=np.int64)
        self._order_epoch = -1
        self.epoch: int = 0
        self.position: int = 0

    @property
    def windows_per_epoch(self) -> int:
        """How many batches an epoch has; the last may have fewer documents than the others."""
        return -(-len(self._starts) // self._batch_size)

    def next(self) -> Window:
        """The next batch, `[T, B]` with T its longest document and B its documents; epochs follow without end."""
        if self._order_epoch != self.epoch:
            self._order = np.random.default_rng([self._seed, self.epoch]).permutation(len(self._starts))
            self._order_epoch = self.epoch
        batch = self._order[self.position : self.position + self._batch_size]
        self.position += len(batch)
        if self.position == len(self._order):
            self.epoch, self.position = self.epoch + 1, 0
        return self._window(batch[self._rank :: self._world_size])

    def state_dict(self) -> dict[str, int]:
        """Where reading is: the epoch, and the documents of it that are done."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken. InputError if there are fewer documents than it says."""
        self.epoch, self.position = _place(state, len(self._starts))

    def _window(self, batch: NDArray[np.int64]) -> Window:
        # A last batch smaller than the number of processes leaves some with nothing; one step that counts 0 keeps them
        # in step with the others.
        lengths = self._lengths[batch] if len(batch) else np.zeros(1, dtype=np.int64)
        shape = (len(lengths), max(int(lengths.max()), 1))
        inputs = np.full(shape, self._eod, dtype=np.int64)
        targets = np.full(shape, self._eod, dtype=np.int64)
        for row, (document, length) in enumerate(zip(batch, lengths, strict=False)):
            start = self._starts[document]
            inputs[row, :length] = self._tokens[start : start + length]
            targets[row, :length] = self._tokens[start + 1 : start + length + 1]
        counts = np.arange(shape[1]) < lengths[:, None]
        return Window(
            inputs=_tensor(inputs),
            targets=_tensor(targets),
            resets=None,
            weights=None if counts.all() else torch.from_numpy(np.ascontiguousarray(counts.T)).float(),
            carry=False,
            tokens=int(lengths.sum()),
        )


def _tensor(rows: NDArray[np.integer]) -> Symbols:
    """Rows `[B, T]` as a tensor of its own."""
    return torch.from_numpy(rows.T.astype(np.int64, order="C"))


def _document_bounds(tokens: NDArray[np.unsignedinteger], eod: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First input and number of inputs of each document; its targets reach one token further."""
    found = [np.flatnonzero(tokens[start : start + SCAN] == eod) + start for start in range(0, len(tokens), SCAN)]
    last = len(tokens) - 1
    bounds = np.unique(np.concatenate([[0], *found, [last]]))
    return bounds[:-1], np.diff(bounds)


def _place(state: Mapping[str, int], size: int) -> tuple[int, int]:
    epoch, position = state["epoch"], state["position"]
    if epoch < 0 or not 0 <= position < size:
        raise InputError(
            f"position {position:,} of epoch {epoch} is outside this text, which has {size:,}: "
            "expected the text and the batch size that the run began with"
        )
    return epoch, position


def _check_batch(batch_size: int, rank: int, world_size: int) -> None:
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: expected 1 or more, for example --batch-size 32")
    if batch_size % world_size:
        fits = max(batch_size // world_size, 1) * world_size
        raise InputError(
            f"batch_size is {batch_size}: expected a multiple of the {world_size} processes that share it; "
            f"pass --batch-size {fits}"
        )
    if not 0 <= rank < world_size:
        raise ValueError(f"rank {rank} of {world_size}: expected 0 to {world_size - 1}")


def _too_short(part: Part, batch_size: int, window: int, world_size: int) -> str:
    steps = len(part.tokens) - 1
    fitting_batch = steps // window // world_size * world_size
    fitting_window = steps // batch_size
    ways = [f"--batch-size {fitting_batch}"] if fitting_batch else []
    ways += [f"--window {fitting_window}"] if fitting_window else []
    if not ways:
        ways = [f"--batch-size {world_size} --window {max(steps // world_size, 1)}"] if steps >= world_size else []
    return (
        f"{part.characters:,} characters ({len(part.tokens):,} tokens) are too few for {batch_size} lanes of {window} "
        f"steps, which need {batch_size * window + 1:,}; pass {' or '.join([*ways, 'more text'])}"
    )
