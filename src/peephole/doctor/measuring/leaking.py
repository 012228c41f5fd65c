"""Whether what one row of a batch gets changes what the net answers to other rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating

ROWS, STEPS = 8, 64
SEED = 9  # the same dropout in every call


@dataclass(frozen=True)
class Leak:
    """By how much outputs of rows change whose inputs did not, when those of another row do.

    Shares of the outputs' standard deviation, the largest over steps, rows and outputs.

    Attributes:
        evaluating: in evaluation mode.
        training: in training mode, with the same dropout in every call.
        noise: in evaluation mode when nothing is changed at all.
        by_distance: `evaluating` by how far apart the two rows stand, from 1 on.
        statistics: the net has layers that normalise over the batch.
    """

    evaluating: float
    training: float
    noise: float
    by_distance: tuple[float, ...]
    statistics: bool


def leak(examination: Examination) -> Leak | None:
    """Of the first batch, cut to a few rows and steps; None without a net, or where that does not run or is not finite.

    Row after row is changed alone, in evaluation mode; in training mode the first one and the last.
    """
    case = examination.case
    batch = next(iter(case.training or case.held_out), None)
    if case.model is None or batch is None or batch.rows < 2:
        return None
    batch = _short(batch)
    try:
        with torch.no_grad(), _buffers_kept(case.model):
            with evaluating(case.model):
                noise, table = _changes(case, batch, range(batch.rows))
            with _training(case.model):
                noise_training, in_training = _changes(case, batch, (0, batch.rows - 1))
    except InputError:
        return None
    if not bool(torch.isfinite(table).all()):
        return None
    apart = (torch.arange(batch.rows)[:, None] - torch.arange(batch.rows)).abs()
    by_distance = tuple(float(table[apart == distance].max()) for distance in range(1, batch.rows))
    others = in_training[apart[[0, -1]] > 0]
    training = max(0.0, float(others.max()) - noise_training)
    statistics = any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in case.model.modules())  # pyright: ignore[reportPrivateUsage]
    return Leak(max(by_distance), training, noise, by_distance, statistics)


def _short(batch: Batch) -> Batch:
    few = batch.first_rows(ROWS)
    if few.targets.shape[0] != few.steps or few.steps <= STEPS:
        return few
    cut = {name: getattr(few, name) for name in ("inputs", "targets", "weights", "resets")}
    return replace(few, **{name: None if one is None else one[:STEPS] for name, one in cut.items()})


def _changes(case: Case, batch: Batch, changed: "range | tuple[int, int]") -> tuple[float, Tensor]:
    """The change when none is changed, and of each row that is, of every row, `[changed, B]`."""
    still = _outputs(case, batch)
    scale = float(still.std()) or 1.0
    noise = float((_outputs(case, batch) - still).abs().max()) / scale
    found = []
    for row in changed:
        inputs = batch.inputs.clone()
        inputs[:, row] = _others(inputs[:, row])
        found.append((_outputs(case, replace(batch, inputs=inputs)) - still).abs().amax((0, 2)) / scale)
    return noise, torch.stack(found)


def _outputs(case: Case, batch: Batch) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return case.run(batch)[0].float().cpu()


def _others(row: Tensor) -> Tensor:
    """Another sequence in which every step differs: of symbols the next ones of those that there are."""
    if row.is_floating_point():
        return row + row.std().nan_to_num().clamp_min(0.1)
    there = row.unique()
    if len(there) == 1:
        return torch.where(row > 0, row - 1, row + 1)
    return there[(torch.searchsorted(there, row.contiguous()) + 1) % len(there)]


@contextmanager
def _training(model: nn.Module) -> Iterator[None]:
    modes = [(part, part.training) for part in model.modules()]
    model.train()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def _buffers_kept(model: nn.Module) -> Iterator[None]:
    """What batch normalisation counts in training mode is put back."""
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, before in kept:
            buffer.copy_(before)
