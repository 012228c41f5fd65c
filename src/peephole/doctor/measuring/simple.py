"""What a linear model gets of the targets: whether there is something in the data that is easily seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from peephole.doctor.case import Batch
from peephole.doctor.examination import Examination

ROWS, SAMPLES = 64, 6000  # of a batch; targets in all
SYMBOLS, CLASSES, NUMBERS = 12, 8, 6  # the commonest symbols and classes, and the first numbers, that are told apart
FIRST = 4  # inputs at the start of a sequence
FOLDS, SHUFFLES = 4, 3
FEW = 100  # targets, fewer of which say nothing


@dataclass(frozen=True)
class Simple:
    """Shares of the variance of the targets that count, on rows that it was not fitted to.

    Attributes:
        explained: what the inputs explain; or what they add where the target before is known, if that is more.
        chance: the largest of the same with the inputs of other targets.
        answers: how many targets there were.
    """

    explained: float
    chance: float
    answers: int


def simple(examination: Examination) -> Simple | None:
    """Ridge regressions on the training batches, cross-validated over rows; None with fewer than 100 targets.

    They see the input, the two before it, the first four of the sequence, and the mean so far of inputs and of products
    of two of them; symbols one-hot. A second one sees the target before, and its products with the input, as well: it
    finds what an automaton does, such as parity. Of that counts what the target before does not explain alone.
    """
    batches = [batch.first_rows(ROWS) for batch in examination.case.training]
    if not batches or len({(batch.symbols, batch.valued) for batch in batches}) != 1:
        return None
    given = _encoded([batch.inputs for batch in batches], SYMBOLS)
    wanted = _encoded([batch.targets for batch in batches], CLASSES)
    parts = [_samples(*part) for part in zip(batches, given, wanted, strict=True)]
    seen, before, crossed, targets, rows = (torch.cat([part[number] for part in parts]) for number in range(5))
    sequences = torch.cat([part[4] + ROWS * number for number, part in enumerate(parts)])
    if len(rows) < FEW or not float(targets.var(0).sum()):
        return None
    kept = torch.linspace(0, len(rows) - 1, min(SAMPLES, len(rows))).long()
    seen, before, crossed, targets = seen[kept], before[kept], crossed[kept], targets[kept]
    fold = sequences[kept] % FOLDS
    alone = max(0.0, _share(before, targets, fold))

    def explained(order: Tensor) -> float:
        more = torch.cat([before, seen[order], crossed[order]], 1)
        return max(_share(seen[order], targets, fold), _share(more, targets, fold) - alone)

    generator = torch.Generator().manual_seed(len(rows))
    shuffled = [torch.randperm(len(seen), generator=generator) for _ in range(SHUFFLES)]
    return Simple(explained(torch.arange(len(seen))), max(map(explained, shuffled)), len(rows))


def _encoded(values: Sequence[Tensor], most: int) -> list[Tensor]:
    """Symbols `[T, B]` one-hot, the rarer ones as zeros; numbers `[T, B, I]` standardised; `[T, B, ·]` of float64."""
    if values[0].dim() == 2:
        different, counts = torch.cat([part.flatten() for part in values]).unique(return_counts=True)
        kept = different[counts.argsort(descending=True, stable=True)[:most]]
        return [(part[..., None] == kept).double() for part in values]
    numbers = torch.cat([part[..., :NUMBERS].flatten(0, 1) for part in values]).double()
    mean, deviation = numbers.mean(0), numbers.std(0)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    return [((part[..., :NUMBERS].double() - mean) / deviation) for part in values]


def _samples(batch: Batch, given: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Of each target that counts: what is seen, the target before, its products with the input, itself, its row."""
    late = batch.steps - len(batch.targets)  # one answer a sequence comes after the last input
    steps, rows = (batch.counts > 0).nonzero(as_tuple=True)
    at = steps + late
    padded = torch.cat([torch.zeros_like(given[:1]).expand(2, -1, -1), given])
    numbers = torch.arange(1, batch.steps + 1)[:, None, None]
    products = given if batch.symbols else (given[..., :, None] * given[..., None, :]).flatten(2)
    first = torch.zeros(FIRST, *given.shape[1:], dtype=given.dtype)
    first[: batch.steps] = given[:FIRST]
    seen = [padded[at + 2, rows], padded[at + 1, rows], padded[at, rows]]
    seen += [first[place, rows] for place in range(FIRST)]
    seen += [(part.cumsum(0) / numbers)[at, rows] for part in ((given,) if batch.symbols else (given, products))]
    previous = torch.cat([torch.zeros_like(wanted[:1]), wanted])[steps, rows]
    crossed = (previous[:, :, None] * given[at, rows][:, None]).flatten(1)
    return torch.cat(seen, 1), previous, crossed, wanted[steps, rows], rows


def _share(features: Tensor, targets: Tensor, fold: Tensor) -> float:
    """The share of the variance that a ridge explains of rows that it was not fitted to; below 0 where it errs."""
    missed, whole = 0.0, 0.0
    for number in range(FOLDS):
        held = fold == number
        if bool(held.all()) or not bool(held.any()):
            return 0.0
        known, mean = features[~held], targets[~held].mean(0)
        centre, spread = known.mean(0), known.std(0)
        moves = spread > 1e-9
        known = ((known - centre) / spread)[:, moves]
        ridge = 0.01 * len(known) * torch.eye(known.shape[1], dtype=known.dtype)
        weights = torch.linalg.solve(known.T @ known + ridge, known.T @ (targets[~held] - mean))
        guess = ((features[held] - centre) / spread)[:, moves] @ weights + mean
        missed += float((targets[held] - guess).square().sum())
        whole += float((targets[held] - mean).square().sum())
    return 1.0 - missed / whole if whole > 0 else 0.0
