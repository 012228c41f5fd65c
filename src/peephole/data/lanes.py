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
FEWEST_STEPS, HALVED, LENGTHS_APART = 5, 0.05, 5.0  # of windows whose lengths are drawn
MANY_STEPS = 1_000_000  # drawn for once, to know how long they usually are


@dataclass(frozen=True)
class Window:
    """One step of training: `inputs` and the tokens that follow them.

    Attributes:
        resets: where the state starts anew before the step; None where nowhere.
        weights: what each target counts; None where all count 1.
        carry: whether the state goes on from the window before; otherwise it starts from zero.
        tokens: the number of targets that count.
        rate: what the learning rate is multiplied with in this step.
        divisor: what the sum of the divergences is divided by for the gradient; None: the number that counts.
    """

    inputs: Symbols
    targets: Symbols
    resets: Resets | None
    weights: Weights | None
    carry: bool
    tokens: int
    rate: float = 1.0
    divisor: int | None = None


class Lanes:
    """The part cut into `batch_size` lanes of equal length, read side by side, `window` steps at a time.

    Lane b reads `tokens[b·lane : (b+1)·lane]`; the tokens left over at the end, fewer than a lane, are not read. With
    several processes, `rank` reads lanes rank, rank + world_size, and so on.

    `vary` is a seed from which the length of each window is drawn instead, as `window_lengths` says; its `rate` is then
    its length as a share of `window`. With `per_row` a window's `divisor` is the number of its rows.

    Raises:
        InputError: the part is too short for the batch, or the batch does not divide among the processes.
    """

    def __init__(
        self,
        part: Part,
        batch_size: int,
        window: int,
        eod: int,
        rank: int = 0,
        world_size: int = 1,
        vary: int | None = None,
        per_row: bool = False,
    ) -> None:
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
        self._vary, self._per_row = vary, per_row
        self._ends = np.empty(0, dtype=np.int64)  # of the windows of an epoch
        self._ends_epoch = -1
        self._windows = -(-self.lane // window)
        if vary is not None:
            usual = window_lengths(window, MANY_STEPS, np.random.default_rng(0)).mean()
            self._windows = max(1, round(self.lane / float(usual) + 0.5))
        self.epoch: int = 0
        self.position: int = 0

    @property
    def windows_per_epoch(self) -> int:
        """How many windows an epoch has, the last often shorter than the others; of drawn lengths, as is expected."""
        return self._windows

    def next(self) -> Window:
        """The next window, `[T, B]` with B this process's lanes; epochs follow without end."""
        steps = slice(self.position, self._end())
        inputs = _tensor(self._inputs[:, steps])
        resets = inputs == self._eod
        window = Window(
            inputs=inputs,
            targets=_tensor(self._targets[:, steps]),
            resets=resets if bool(resets.any()) else None,
            weights=None,
            carry=self.position > 0,
            tokens=inputs.numel(),
            rate=1.0 if self._vary is None else len(inputs) / self._window,
            divisor=inputs.shape[1] if self._per_row else None,
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

    def _end(self) -> int:
        """Where the window that begins here ends. An epoch's lengths are drawn at once, so that its place says all."""
        if self._vary is None:
            return min(self.position + self._window, self.lane)
        if self._ends_epoch != self.epoch:
            generator = np.random.default_rng([self._vary, self.epoch])
            self._ends = np.cumsum(window_lengths(self._window, self.lane, generator))
            self._ends_epoch = self.epoch
        return min(int(self._ends[np.searchsorted(self._ends, self.position, side="right")]), self.lane)


def window_lengths(window: int, steps: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Lengths of windows that cover `steps`: normal with standard deviation 5 around `window`, or with probability 0.05
    around half of it, without what is behind the point, and at least 5 (or `window`, where that is less).

    Merity, Keskar & Socher 2018, section 5, and the code that they published with it.
    """
    fewest = min(FEWEST_STEPS, window)
    count = steps // fewest + 1  # enough, however short they come out
    middle = np.where(generator.random(count) < HALVED, window / 2, float(window))
    return np.maximum(generator.normal(middle, LENGTHS_APART).astype(np.int64), fewest)


class Documents:
    """Whole documents, `batch_size` at a time, in an order drawn anew each epoch from `seed`.

    Each begins with `<eod>` as its first input and ends with `<eod>` as its last target, except where a cut fell
    inside one. Shorter ones are padded at their end, with weight 0. With several processes, `rank` reads every
    world_size-th document of each batch. With `per_row` a batch's `divisor` is the number of its documents.

    Raises:
        InputError: a document is longer than `longest` tokens, or the batch does not divide among the processes.
    """

    def __init__(
        self,
        part: Part,
        batch_size: int,
        longest: int,
        eod: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        per_row: bool = False,
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
        self._per_row = per_row
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
            divisor=len(lengths) if self._per_row else None,
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
        f"{len(part.tokens):,} tokens are too few for {batch_size} lanes of {window} steps, which need "
        f"{batch_size * window + 1:,}; pass {' or '.join([*ways, 'more text'])}"
    )
