"""How much has been learnt: the divergence on training and held-out data beside that of an answer that sees nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating

ROWS_A_STEP = 100  # sequences from which on the distribution of a step's answers can be told


@dataclass(frozen=True)
class Level:
    """Mean divergences a target: of the net on `training` and `held_out` batches, NaN where there are none, and of the
    best answer that looks at no input, `trivial`.
    """

    training: float
    held_out: float
    trivial: float

    @property
    def learnt(self) -> float:
        """The share of the trivial divergence that is gone on training data, 0 to 1; NaN without data or model."""
        return self._share(self.training)

    @property
    def learnt_held_out(self) -> float:
        """The same on held-out data."""
        return self._share(self.held_out)

    def _share(self, value: float) -> float:
        if math.isnan(value) or math.isnan(self.trivial):
            return math.nan
        return min(1.0, max(0.0, 1.0 - value / self.trivial)) if self.trivial > 0 else 1.0


def level(examination: Examination) -> Level:
    """Measured in evaluation mode, states carried where the training carries them."""
    case = examination.case
    known = case.trivial if case.trivial is not None else trivial(case.training or case.held_out)
    if case.model is None:
        return Level(math.nan, math.nan, known)
    return Level(mean_divergence(case, case.training), mean_divergence(case, case.held_out), known)


def level_of(examination: Examination) -> Level:
    """How much was learnt; NaN where the net cannot be run."""
    try:
        return examination.measured(level)
    except InputError:
        return Level(math.nan, math.nan, math.nan)


def still_to_learn(how_much: Level) -> float:
    """The share of the trivial divergence that is left, on held-out data where there is some; a half if not known."""
    learnt = how_much.learnt if math.isnan(how_much.learnt_held_out) else how_much.learnt_held_out
    return 0.5 if math.isnan(learnt) else 1.0 - learnt


@torch.no_grad()
def mean_divergence(case: Case, batches: Sequence[Batch]) -> float:
    """The mean over all targets of the batches that count; NaN without batches."""
    assert case.model is not None
    total, counted, states = 0.0, 0.0, None
    with evaluating(case.model):
        for batch in batches:
            outputs, states = case.run(batch, states if batch.carry else None)
            counts = batch.counts
            total += float((case.each(outputs, batch).cpu() * counts).sum())
            counted += float(counts.sum())
    return total / counted if counted else math.nan


def trivial(batches: Sequence[Batch]) -> float:
    """The divergence of the best constant answer: the entropy of the classes in nats, or the variance of the values."""
    if not batches:
        return math.nan
    counts = torch.cat([batch.counts.flatten() for batch in batches]).double()
    counts = counts / counts.sum().clamp_min(1.0)
    if batches[0].valued:
        values = torch.cat([batch.targets.flatten(0, 1) for batch in batches]).double()
        centre = (counts[:, None] * values).sum(0)
        return float((counts[:, None] * (values - centre).square()).sum())
    classes = torch.cat([batch.targets.flatten() for batch in batches])
    shares = torch.zeros(int(classes.max()) + 1, dtype=torch.float64).index_add_(0, classes, counts)
    return _entropy(shares)


def trivial_by_step(batches: Sequence[Batch]) -> float:
    """The same of the best answer that sees no input but counts the steps; NaN where batches are no whole sequences of
    one length, or too few to tell.
    """
    lengths = {batch.targets.shape[0] for batch in batches}
    if len(lengths) != 1 or any(batch.carry for batch in batches[1:]):
        return math.nan
    steps, rows = lengths.pop(), sum(batch.rows for batch in batches)
    if rows < ROWS_A_STEP:
        return math.nan
    counts = torch.cat([batch.counts for batch in batches], dim=1)  # [T, B]
    total = float(counts.sum())
    found = 0.0
    for step in range(steps):
        parts = [_step_of(batch, step) for batch in batches]
        counted = float(counts[step].sum())
        if counted:
            found += counted * trivial(parts)
    return found / total if total else math.nan


def _step_of(batch: Batch, step: int) -> Batch:
    return Batch(batch.inputs, batch.targets[step : step + 1], batch.counts[step : step + 1])


def _entropy(shares: Tensor) -> float:
    return float(-torch.xlogy(shares, shares).sum())
