"""Whether the data goes on where one batch ends and the next begins with its state."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.doctor.case import Batch
from peephole.doctor.examination import Examination
from peephole.doctor.measuring.carrying import LEAST_ROWS, Couple, couples_of

CLASSES = 8  # the commonest values of what is seen, the others together; of numbers as many equal parts
COLUMNS = 4  # features, or outputs, that are looked at
SHUFFLES = 50
NEXT = 0.95  # share of targets that are the next input where the next step is to be predicted
SEED = 9

Column = NDArray[np.int64]


@dataclass(frozen=True)
class Boundary:
    """What the end of a batch tells of the beginning of the next, whose state it hands on, row by row.

    Attributes:
        boundaries: how many were looked at.
        carried: share of all batches, but for the first, that begin with a carried state.
        continues: share of the rows whose next batch begins with what was wanted last, where within batches the targets
            are the next input; NaN where they are not. Rows that are `filled` are left out.
        filled: share of the rows that end in a run of one and the same, as padding is, and data that hardly moves.
        across: mutual information between one step and the next across a boundary, of the pair of columns that has
            most, above that of steps of different rows, in standard deviations of the latter.
        within: the same of steps inside of the batches.
        edges: by how much the first step of a batch, or the last before it, differs from those inside in what is seen
            or in what counts: total variation, 0 to 1.
    """

    boundaries: int
    carried: float
    continues: float
    filled: float
    across: float
    within: float
    edges: float


def boundary(examination: Examination) -> Boundary | None:
    """Of training batches that hand on their states; None where none does, or rows are few."""
    couples, carried = couples_of(examination.case)
    if not couples:
        return None
    random = np.random.default_rng(SEED)
    ends = [(_seen(before, before.steps - 1), _seen(after, 0)) for before, after in couples]
    inside = []
    for batch, _ in couples:
        place = int(random.integers(0, max(1, batch.steps - 1)))
        inside.append((_seen(batch, place), _seen(batch, min(place + 1, batch.steps - 1))))
    long = all(batch.steps > 2 for batch, _ in couples)
    return Boundary(
        boundaries=len(couples),
        carried=carried,
        continues=_continues(couples),
        filled=float(torch.cat([_filled(before) for before, _ in couples]).double().mean()),
        across=_information(ends, random),
        within=_information(inside, random) if long else math.nan,
        edges=_edges(couples) if long else math.nan,
    )


def _filled(batch: Batch) -> Tensor:
    """Which rows end in a run of one and the same, `[B]`: they may be filled up, and end before."""
    if batch.steps < 2 or len(batch.targets) != batch.steps:
        return torch.zeros(batch.rows, dtype=torch.bool)
    inputs, targets = batch.inputs[-1] == batch.inputs[-2], batch.targets[-1] == batch.targets[-2]
    return (inputs if batch.symbols else inputs.all(-1)) & (targets.all(-1) if batch.valued else targets)


def _continues(couples: Sequence[Couple]) -> float:
    """See `Boundary.continues`."""
    if any(batch.symbols == batch.valued or len(batch.targets) != batch.steps for batch, _ in couples):
        return math.nan
    if couples[0][0].valued and couples[0][0].targets.shape[2] != couples[0][0].inputs.shape[2]:
        return math.nan
    inside = [_same(batch.targets[:-1], batch.inputs[1:]) for batch, _ in couples if batch.steps > 1]
    if not inside or float(torch.cat([one.flatten() for one in inside]).double().mean()) < NEXT:
        return math.nan
    goes_on = [_same(before.targets[-1], after.inputs[0])[~_filled(before)] for before, after in couples]
    kept = torch.cat(goes_on)
    return float(kept.double().mean()) if len(kept) >= LEAST_ROWS else math.nan


def _same(one: Tensor, other: Tensor) -> Tensor:
    return torch.isclose(one, other, rtol=1e-4, atol=1e-6).all(-1) if one.is_floating_point() else one == other


def _seen(batch: Batch, step: int) -> list[Tensor]:
    """What there is to see at a step, `[B]` each: the input, what is wanted, and of symbols and classes both as one."""
    inputs, targets = batch.inputs[step], batch.targets[min(step, len(batch.targets) - 1)]
    found = [inputs] if batch.symbols else list(inputs.T[:COLUMNS])
    if len(batch.targets) == batch.steps:
        found += list(targets.T[:COLUMNS]) if batch.valued else [targets]
        if batch.symbols and not batch.valued:
            found.append(inputs * 4096 + targets)
    return found


def _columns(steps: Sequence[list[Tensor]]) -> list[list[Column]]:
    """Each column as a few classes, of every batch: numbers in equal parts, symbols by how common they are."""
    found: list[list[Column]] = []
    for number in range(len(steps[0])):
        parts = [step[number].cpu().numpy() for step in steps]
        values = np.concatenate(parts)
        different, counts = np.unique(values, return_counts=True)
        if len(different) <= CLASSES or values.dtype.kind != "f":
            kept = np.sort(different[np.argsort(-counts, kind="stable")[: CLASSES - 1]])
            spots = [np.minimum(np.searchsorted(kept, part), len(kept) - 1) for part in parts]
            places = [np.where(kept[spot] == part, spot, CLASSES - 1) for spot, part in zip(spots, parts, strict=True)]
        else:
            edges = np.quantile(values, np.arange(1, CLASSES) / CLASSES)
            places = [np.searchsorted(edges, part) for part in parts]
        found.append([place.astype(np.int64) for place in places])
    return found


def _information(pairs: Sequence[tuple[list[Tensor], list[Tensor]]], random: np.random.Generator) -> float:
    """See `Boundary.across`."""
    earlier = _columns([pair[0] for pair in pairs])
    later = _columns([pair[1] for pair in pairs])
    most = 0.0
    orders = [[random.permutation(len(part)) for part in later[0]] for _ in range(SHUFFLES)]
    for one in earlier:
        for two in later:
            known = np.concatenate(one)
            chance = [
                _mutual(known, np.concatenate([part[order] for part, order in zip(two, by, strict=True)]))
                for by in orders
            ]
            spread = float(np.std(chance))
            if spread > 1e-12:
                most = max(most, (_mutual(known, np.concatenate(two)) - float(np.mean(chance))) / spread)
    return most


def _mutual(one: Column, two: Column) -> float:
    """Mutual information of two columns of classes in nats."""
    joint = np.bincount(one * CLASSES + two, minlength=CLASSES * CLASSES).reshape(CLASSES, CLASSES) / len(one)
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / product[there])).sum())


def _edges(couples: Sequence[Couple]) -> float:
    """See `Boundary.edges`."""
    middle = [_seen(one, step) for one, _ in couples for step in (one.steps // 3, one.steps // 2, 2 * one.steps // 3)]
    first, last = [_seen(two, 0) for _, two in couples], [_seen(one, one.steps - 1) for one, _ in couples]
    far = 0.0
    for column in _columns([*middle, *first, *last]):
        inside = _shares(column[: len(middle)])
        for edge in (column[len(middle) : len(middle) + len(first)], column[len(middle) + len(first) :]):
            far = max(far, 0.5 * float(np.abs(_shares(edge) - inside).sum()))
    counts = [one.counts for one, _ in couples if len(one.targets) == one.steps]
    if counts:
        ends = float(torch.cat([(count[-1] > 0).double() for count in counts]).mean())
        inner = float(torch.cat([(count[:-1] > 0).double().flatten() for count in counts]).mean())
        far = max(far, abs(ends - inner))
    return far


def _shares(parts: Sequence[Column]) -> NDArray[np.float64]:
    counts = np.bincount(np.concatenate(parts), minlength=CLASSES)
    return counts / max(1, counts.sum())
