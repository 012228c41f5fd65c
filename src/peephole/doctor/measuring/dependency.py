"""How far back lies what would explain what the net gets wrong: lags of the input whose values tell its residual."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.doctor.measuring.stretch import stretch
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating

STEPS, ROWS = 256, 16
SAMPLES, SYMBOLS, CLASSES = 3000, 32, 16  # most that are looked at; the commonest symbols and classes
FOLDS, SHUFFLES = 3, 2
FEW = 60  # fewer targets than this say nothing


@dataclass(frozen=True)
class Lags:
    """Of each range of lags, `first` to `last`, the share of the residual's variance that inputs there explain, and the
    most that they seem to explain when they come from other rows: what is found by chance.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    explained: tuple[float, ...]
    chance: tuple[float, ...]

    def furthest(self, share: float) -> int | None:
        """The last lag of the furthest range that explains `share` more than chance does; None where none does."""
        found = [
            last
            for last, each, chance in zip(self.last, self.explained, self.chance, strict=True)
            if each - chance > share
        ]
        return max(found, default=None)

    def beyond(self, lag: int) -> float:
        """The most, above chance, that a range explains which begins at `lag` or further; 0 where none does."""
        found = [
            each - chance
            for first, each, chance in zip(self.first, self.explained, self.chance, strict=True)
            if first >= lag
        ]
        return max(0.0, *found) if found else 0.0


def lags(examination: Examination) -> Lags | None:
    """Ridge regressions from each range of lags (1, 2, 3–4, 5–8, …) to target minus prediction, cross-validated over
    rows; symbols as their counts in the range, features as sums of them and of their pairwise products within a step.

    None without a net, or with fewer than 60 targets. What only several inputs together tell (parity) is not seen.
    """
    case = examination.case
    if case.model is None:
        return None
    parts = [part for batch in _sequences(case) if (part := _residual(case, batch)) is not None]
    if not parts or sum(len(target[0]) for _, target in parts) < FEW:
        return None
    return _explained(parts)


def _sequences(case: Case) -> list[Batch]:
    carried = case.streams is not None or any(batch.carry for batch in case.training)
    if carried:
        batch = stretch(case, STEPS, ROWS)
        return [] if batch is None else [batch]
    return [batch.first_rows(8 * ROWS) for batch in case.training]


Residual = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]  # step and row of each, what is left `[N, O]`


def _residual(case: Case, batch: Batch) -> tuple[Batch, Residual] | None:
    try:
        with evaluating(case.model or torch.nn.Identity()), torch.no_grad():
            outputs, _ = case.run(batch)
    except (InputError, RuntimeError):  # a module may refuse what is not as long or wide as in its training
        return None
    if not bool(torch.isfinite(outputs).all()):
        return None
    steps, rows = (index.numpy() for index in batch.counts.nonzero(as_tuple=True))
    if len(steps) > SAMPLES:
        kept = np.linspace(0, len(steps) - 1, SAMPLES).astype(np.intp)
        steps, rows = steps[kept], rows[kept]
    if batch.valued:
        left = batch.targets.float()[steps, rows] - outputs.cpu().float()[steps, rows]
    else:
        there = outputs.cpu().float()[steps, rows].softmax(-1)
        left = torch.nn.functional.one_hot(batch.targets[steps, rows].long(), there.shape[-1]) - there
        left = left[:, left.square().sum(0).argsort(descending=True)[:CLASSES].sort().values]
    if batch.targets.shape[0] != batch.steps:
        steps = steps + batch.steps - batch.targets.shape[0]
    return batch, (steps, rows, left.double().numpy())


def _explained(parts: list[tuple[Batch, Residual]]) -> Lags:
    """All batches together, those rows that are counted once."""
    left = np.concatenate([residual[2] for _, residual in parts])
    left = left - left.mean(0)
    groups = np.concatenate([residual[1] + 1000 * number for number, (_, residual) in enumerate(parts)])
    longest = max(int(residual[0].max()) for _, residual in parts)
    bounds = [(1, 1), (2, 2)]
    while bounds[-1][1] < longest:
        bounds.append((bounds[-1][1] + 1, min(longest, 2 * bounds[-1][1])))
    features = [_features(batch) for batch, _ in parts]
    width = min(each.shape[-1] for each in features)
    first, last, explained, chance = [], [], [], []
    for low, high in bounds:
        if low > longest:
            break
        sums = [_summed(each[..., :width], low, high) for each in features]
        reaches = np.concatenate([residual[0] for _, residual in parts]) >= low
        if reaches.sum() < FEW:
            continue
        shares = [
            _share(_picked(sums, parts, turn)[reaches], left[reaches], groups[reaches]) for turn in range(1 + SHUFFLES)
        ]
        first.append(low)
        last.append(high)
        explained.append(shares[0])
        chance.append(max(0.0, *shares[1:]))
    return Lags(tuple(first), tuple(last), tuple(explained), tuple(chance))


def _features(batch: Batch) -> NDArray[np.float64]:
    """`[T, B, F]`: which symbol it is, of the commonest; or the features and their pairwise products."""
    if batch.symbols:
        count = int(batch.inputs.max()) + 1
        kept = torch.bincount(batch.inputs.flatten(), minlength=count).argsort(descending=True)[:SYMBOLS].sort().values
        return (batch.inputs[..., None] == kept).double().numpy()
    values = batch.inputs.double().flatten(2)[..., :16]
    spread = values.flatten(0, 1).std(0).clamp_min(1e-12)
    values = (values - values.flatten(0, 1).mean(0)) / spread
    pairs = torch.combinations(torch.arange(min(values.shape[-1], 6)), 2, with_replacement=True)
    return torch.cat([values, *(values[..., [one]] * values[..., [two]] for one, two in pairs.tolist())], -1).numpy()


def _summed(features: NDArray[np.float64], low: int, high: int) -> NDArray[np.float64]:
    """At each step the sum over lags `low` to `high`."""
    total = np.concatenate([np.zeros_like(features[:1]), features.cumsum(0)])
    steps = np.arange(len(features))
    return total[np.maximum(steps - low + 1, 0)] - total[np.maximum(steps - high, 0)]


def _picked(sums: list[NDArray[np.float64]], parts: list[tuple[Batch, Residual]], turn: int) -> NDArray[np.float64]:
    """Of each target its features; of a `turn` those of another row, at the same step."""
    found = []
    for each, (batch, (steps, rows, _)) in zip(sums, parts, strict=True):
        found.append(each[steps, (rows + turn * max(1, batch.rows // (SHUFFLES + 1))) % batch.rows])
    return np.concatenate(found)


def _share(features: NDArray[np.float64], left: NDArray[np.float64], groups: NDArray[np.intp]) -> float:
    """The cross-validated share of the variance that a ridge explains, folds of whole rows; below 0 where it errs."""
    centred = features - features.mean(0)
    spread = centred.std(0)
    varies = spread > 1e-9 * np.abs(features).max()
    if not varies.any():
        return 0.0
    features = np.concatenate([centred[:, varies] / spread[varies], np.ones((len(features), 1))], 1)
    _, number = np.unique(groups, return_inverse=True)
    missed = 0.0
    for fold in range(FOLDS):
        held = number % FOLDS == fold
        if held.all() or not held.any():
            return 0.0
        known = features[~held]
        ridge = 0.01 * len(known) * np.eye(features.shape[1])
        ridge[-1, -1] = 1e-9
        weights = np.linalg.solve(known.T @ known + ridge, known.T @ left[~held])
        missed += float(np.square(left[held] - features[held] @ weights).sum())
    whole = float(np.square(left).sum())
    return 1.0 - missed / whole if whole > 0 else 0.0
