"""Whether the targets are the input itself, as it is or some steps late."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from peephole.doctor.case import Batch
from peephole.doctor.examination import Examination

LATEST = 4  # steps that a target may lag behind the input that it equals
SURE = 4.0  # nats: a row tells something where all its targets would match by chance once in e^4 = 55 rows, or less
FEW = 4  # targets of a row that count, fewer of which say nothing
NEARLY = 0.98  # of a row's targets that have to match
LARGEST = 4096  # symbols that are told apart where chance is counted
ALONE = 0.5  # of a row's variance: where one step makes up more than this, that step alone decides what it matches
EXACT = 1e-5  # share of a value's variance that may stay unexplained where it is a copy


@dataclass(frozen=True)
class Copies:
    """Rows whose targets are their own input.

    Attributes:
        lag: target(t) = input(t − lag), the lag that most rows have.
        rows: share of the rows that are so, of those that could show it.
        judged: rows that could show it: enough steps, not constant.
        ahead: share of these rows whose targets are the next input, as when the next step is to be predicted.
        by_lag: share of targets that match at lags −1 to 4, whole data; of values the mean of r².
    """

    lag: int
    rows: float
    judged: int
    ahead: float
    by_lag: tuple[float, ...]


def copies(examination: Examination) -> Copies | None:
    """Of the training batches; None where each sequence has one answer, or too little counts to tell.

    Classes match where they are the input's symbol. Values match where they are one of the input's features, times a
    number plus a number. What smooth series show by themselves does not count: a row that equals its next input as well
    is one whose next step is predicted.
    """
    batches = [_as_symbols(batch) for batch in examination.case.training if batch.targets.shape[0] == batch.steps]
    found = [_matches(batch) for batch in batches if batch.symbols != batch.valued]
    if not found:
        return None
    matches = torch.cat([one[0] for one in found], 1)  # [lags, rows]
    judged = torch.cat([one[1] for one in found], 1)
    good = (matches >= (1 - EXACT if batches[0].valued else NEARLY)) & judged
    ahead, late = good[0], good[1:] & ~good[0]
    could = int(judged.any(0).sum())
    if not could:
        return None
    best = int(late.sum(1).argmax())
    weights = judged.double()
    shares = (matches.nan_to_num() * weights).sum(1) / weights.sum(1).clamp_min(1.0)
    return Copies(best, int(late[best].sum()) / could, could, int(ahead.sum()) / could, tuple(shares.tolist()))


def _as_symbols(batch: Batch) -> Batch:
    """Features that are symbols written one-hot, with classes wanted, as symbols."""
    if batch.symbols or batch.valued or batch.inputs.shape[2] < 2:
        return batch
    one_hot = bool((batch.inputs.sum(-1) == 1).all()) and bool((batch.inputs.amax(-1) == 1).all())
    return replace(batch, inputs=batch.inputs.argmax(-1)) if one_hot else batch


def _matches(batch: Batch) -> tuple[Tensor, Tensor]:
    """Of lags −1 to `LATEST` the share of each row's targets that match, and whether a row can tell, `[lags, B]`."""
    each = [_values(batch, lag) if batch.valued else _classes(batch, lag) for lag in range(-1, LATEST + 1)]
    return torch.stack([one[0] for one in each]), torch.stack([one[1] for one in each])


def _aligned(batch: Batch, lag: int) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs at t − lag, targets and counts at t, of all t where both are."""
    steps = batch.steps
    lag = min(lag, steps)  # then there are none
    first, last = max(0, lag), max(0, steps + min(0, lag))
    return batch.inputs[first - lag : last - lag], batch.targets[first:last], batch.counts[first:last]


def _classes(batch: Batch, lag: int) -> tuple[Tensor, Tensor]:
    inputs, targets, counts = _aligned(batch, lag)
    counted = (counts > 0).double()
    same = (inputs == targets).double() * counted
    total = counted.sum(0)
    if not len(inputs):
        return total, total > 0
    # How often it would match by chance: the row's targets beside inputs of the row, in whatever order.
    symbols = min(LARGEST, int(max(inputs.max(), targets.max())) + 1)
    there = _frequencies(inputs, torch.ones_like(counted), symbols)
    chance = (there * _frequencies(targets, counted, symbols)).sum(1)
    bits = total * -chance.clamp(1e-6, 1.0).log()
    return same.sum(0) / total.clamp_min(1.0), (bits > SURE) & (total >= FEW)


def _frequencies(symbols: Tensor, counted: Tensor, most: int) -> Tensor:
    """How often each symbol stands in each row, `[B, V]`, as shares."""
    found = torch.zeros(symbols.shape[1], most, dtype=torch.float64)
    found.scatter_add_(1, symbols.T % most, counted.T)
    return found / found.sum(1, keepdim=True).clamp_min(1.0)


def _values(batch: Batch, lag: int) -> tuple[Tensor, Tensor]:
    """The largest r² between an output's target and a feature, of each row."""
    inputs, targets, counts = _aligned(batch, lag)
    weights = (counts > 0).double()[..., None]
    total = weights.sum(0).clamp_min(1.0)  # [B, 1]
    if not len(inputs):
        return weights.sum(0)[:, 0], weights.sum(0)[:, 0] > 0

    def standard(values: Tensor) -> tuple[Tensor, Tensor]:
        values = values.double()
        away = (values - (values * weights).sum(0) / total) * weights
        size = away.square().sum(0).sqrt()  # [B, ·]
        moves = size > 1e-6 * values.abs().amax(0).clamp_min(1e-30) * math.sqrt(len(values))
        away = torch.where(moves, away / size.clamp_min(1e-30), 0.0)
        return away, moves & (away.square().amax(0) < ALONE)

    features, moved = standard(inputs)
    answers, wanted = standard(targets)
    squares = torch.einsum("tbi,tbo->bio", features, answers).square()  # [B, I, O]
    every = squares.amax(1)  # of each output the feature that is nearest
    every = torch.where(wanted, every, 1.0)
    return every.amin(1), (weights.sum(0)[:, 0] >= 8) & wanted.any(1) & moved.any(1)
