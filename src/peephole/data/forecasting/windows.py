"""Windows over series that lie on disk: what a forecast is made from, and what came after."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.forecasting.encoding import ForecastingEncoding
from peephole.data.sequences.store import Part
from peephole.errors import InputError
from peephole.shapes import Weights

DRAWN = 5  # parts the drawing of windows from other draws of the same seed


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Windows side by side, time first.

    Attributes:
        inputs: `[context, B, features]`: the value without its level, and what is known of the step and of that a
            horizon later.
        targets: the values to forecast without their level, `[1, B, horizon]`.
        weights: 1 for each window, `[1, B]`.
        lengths: the context, `[B]`.
        level: what was taken off the targets, `[1, B, horizon]`.
    """

    inputs: Float[Tensor, "context batch features"]
    targets: Float[Tensor, "one batch horizon"]
    weights: Weights
    lengths: Int[Tensor, " batch"]
    level: Float[Tensor, "one batch horizon"]
    carry: bool = False

    @property
    def answers(self) -> int:
        """How many values are forecast."""
        return self.targets.numel()


class Windows:
    """All windows of a part: those of its first series in order of time, then those of the second, and so on.

    `stride` steps lie between two of a series.
    """

    def __init__(self, part: Part, encoding: ForecastingEncoding, stride: int = 1) -> None:
        self.part, self.encoding, self.stride = part, encoding, stride
        counts = np.maximum(0, part.lengths - encoding.lead - encoding.horizon + 1)
        self.counts: NDArray[np.int64] = -(-counts // stride)
        self.ends = np.cumsum(self.counts)
        self.firsts = part.ends - part.lengths  # row of the first step of each series

    def __len__(self) -> int:
        return int(self.ends[-1])

    def rows(self, numbers: NDArray[np.int64]) -> Float32[np.ndarray, "batch steps columns"]:
        """What lies on disk of some windows: `lead` steps and `horizon` after them."""
        series = np.searchsorted(self.ends, numbers, side="right")
        within = numbers - (self.ends - self.counts)[series]
        start = self.firsts[series] + within * self.stride
        steps = np.arange(self.encoding.lead + self.encoding.horizon)
        return np.asarray(self.part.inputs[start[:, None] + steps], np.float32)

    def batch(self, numbers: NDArray[np.int64]) -> WindowBatch:
        """Some windows as a batch."""
        return window_batch(self.rows(numbers), self.encoding)

    def of_series(self, place: int, most: int) -> Iterator[NDArray[np.int64]]:
        """The numbers of the windows of a series in order of time, at most so many together."""
        start, end = int(self.ends[place] - self.counts[place]), int(self.ends[place])
        for first in range(start, end, most):
            yield np.arange(first, min(end, first + most))


def window_batch(rows: Float32[np.ndarray, "batch steps columns"], encoding: ForecastingEncoding) -> WindowBatch:
    """Rows of `lead` steps and `horizon` more as a batch; the last may have no values yet."""
    context, horizon, season, lead = encoding.context, encoding.horizon, encoding.season, encoding.lead
    values = rows[..., 0]
    seen, after = values[:, lead - context : lead], values[:, lead:]
    if encoding.level == "season":
        before = values[:, lead - context - season : lead - season]
        level = seasonal_naive(values[:, :lead], season, horizon)
    else:
        one = {"last": seen[:, -1:], "mean": seen.mean(1, keepdims=True), "none": np.zeros_like(seen[:, :1])}
        before = one[encoding.level]
        level = np.repeat(before, horizon, 1)
    known = rows[:, lead - context : lead, 1:]
    later = rows[:, lead - context + horizon : lead + horizon, 1:]
    inputs = np.concatenate([(seen - before)[..., None], known, later], -1).transpose(1, 0, 2)
    count = len(rows)
    return WindowBatch(
        torch.from_numpy(np.ascontiguousarray(inputs)),
        torch.from_numpy((after - level)[None]),
        torch.ones(1, count),
        torch.full((count,), context),
        torch.from_numpy(np.ascontiguousarray(level)[None]),
    )


def seasonal_naive(
    values: Float[np.ndarray, "batch steps"], season: int, horizon: int
) -> Float[np.ndarray, "batch horizon"]:
    """The last season again and again; with a season of 1 the last value."""
    last = values[:, -season:]
    return np.tile(last, (1, -(-horizon // season)))[:, :horizon]


class WindowBatches:
    """Windows drawn at random without end. Step s of process r draws from (seed, s, r): a resumed run sees the same."""

    def __init__(self, windows: Windows, rows: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        if rows % world_size:
            raise InputError(f"--batch-size is {rows}; expected a multiple of the {world_size} processes")
        self.windows, self.seed, self.rank = windows, seed, rank
        self.rows = rows // world_size
        self.windows_per_epoch = -(-len(windows) // rows)
        self.step = 0

    def next(self) -> WindowBatch:
        """The windows of the next step."""
        random = np.random.default_rng([self.seed, DRAWN, self.step, self.rank])
        self.step += 1
        return self.windows.batch(random.integers(len(self.windows), size=self.rows))

    def state_dict(self) -> dict[str, int]:
        """Where it is."""
        return {"step": self.step}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken."""
        self.step = state["step"]
