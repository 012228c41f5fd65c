"""Whether rows end in padding whose targets count."""

from dataclasses import dataclass

import torch
from torch import Tensor

from peephole.doctor.case import Batch
from peephole.doctor.examination import Examination


@dataclass(frozen=True)
class Tails:
    """Runs of one and the same input with one and the same target that rows end in, the commonest such pair.

    Attributes:
        share: share of all targets that count which stand in such runs.
        rows: share of the rows that end in one of two steps or more.
        lengths: different lengths of these runs.
        counted: targets that count in a run, mean over those rows.
        at_start: `share` of what rows begin with, the same pair: what a run of it by chance comes to.
        steps: length of each run, ascending.
        longest: steps of the longest batch.
    """

    share: float
    rows: float
    lengths: int
    counted: float
    at_start: float
    steps: tuple[int, ...]
    longest: int


def tails(examination: Examination) -> Tails | None:
    """Of the training batches; None where there are none, or each sequence has one answer."""
    batches = [batch for batch in examination.case.training if batch.targets.shape[0] == batch.steps > 2]
    if not batches:
        return None
    pairs = [_pairs(batch) for batch in batches]
    pad = _commonest(pairs)
    runs, counted, starts, total = [], [], 0.0, 0.0
    for batch, pair in zip(batches, pairs, strict=True):
        same = (pair == pad).all(-1)  # [T, B]
        ends = same.flip(0).cumprod(0, dtype=torch.int64).flip(0)
        counts = batch.counts.nan_to_num()
        runs.append(ends.sum(0))
        counted.append((ends * counts).sum(0))
        starts += float((same.cumprod(0, dtype=torch.int64) * counts).sum())
        total += float(counts.sum())
    lengths, within = torch.cat(runs), torch.cat(counted)
    padded = lengths >= 2
    if not bool(padded.any()) or total == 0:
        return Tails(0.0, 0.0, 0, 0.0, starts / max(total, 1.0), (), 0)
    steps = sorted(lengths[padded].tolist())
    return Tails(
        share=float(within[padded].sum()) / total,
        rows=float(padded.double().mean()),
        lengths=len(set(steps)),
        counted=float(within[padded].mean()),
        at_start=starts / total,
        steps=tuple(steps),
        longest=max(batch.steps for batch in batches),
    )


def _pairs(batch: Batch) -> Tensor:
    """Input and target of every step side by side, `[T, B, I + O]` of float64."""
    inputs = batch.inputs[..., None] if batch.symbols else batch.inputs
    targets = batch.targets if batch.valued else batch.targets[..., None]
    return torch.cat([inputs.double(), targets.double()], -1)


def _commonest(pairs: list[Tensor]) -> Tensor:
    """The pair that most rows end in."""
    last = torch.cat([pair[-1] for pair in pairs])
    different, counts = last.unique(dim=0, return_counts=True)
    return different[counts.argmax()]
