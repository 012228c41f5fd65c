"""Long stretches of what a training reads: batches whose states go on, joined, or rows cut from a text's stream."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from peephole.doctor.case import Batch, Case


def stretch(case: Case, steps: int, rows: int) -> Batch | None:
    """The last `steps` of the longest sequences that there are, of at most `rows` rows; None without any.

    Of a text it is cut from the training stream, evenly, whatever the windows of the training; else consecutive batches
    are joined for as long as each carries the state of the one before. `carry` is False: it begins from zero states.
    """
    batches = case.training or case.held_out
    if not batches:
        return None
    if case.streams is not None and batches[0].symbols:
        found = _of_stream(case.streams[0], steps, rows)
        if found is not None:
            return found
    return _last(
        _joined(max(_runs(batches), key=lambda run: sum(batch.steps for batch in run))).first_rows(rows), steps
    )


def _of_stream(tokens: np.ndarray, steps: int, rows: int) -> Batch | None:
    """Rows `[steps, rows]` at places spread evenly over the stream, and the tokens after each."""
    if len(tokens) < 2 * (steps + 1):
        return None
    places = np.linspace(0, len(tokens) - steps - 1, rows).astype(np.int64)
    cut = np.stack([tokens[place : place + steps + 1] for place in places], axis=1).astype(np.int64)
    return Batch(torch.from_numpy(cut[:-1].copy()), torch.from_numpy(cut[1:].copy()))


def _runs(batches: tuple[Batch, ...]) -> list[list[Batch]]:
    """The batches, those together whose states go on."""
    runs: list[list[Batch]] = []
    for batch in batches:
        whole = batch.targets.shape[0] == batch.steps
        if runs and batch.carry and whole and batch.rows == runs[-1][-1].rows:
            runs[-1].append(batch)
        else:
            runs.append([batch])
    return runs


def _joined(run: list[Batch]) -> Batch:
    first = replace(run[0], carry=False)
    if len(run) == 1:
        return first
    return replace(
        first,
        inputs=torch.cat([batch.inputs for batch in run]),
        targets=torch.cat([batch.targets for batch in run]),
        weights=_cat([batch.weights for batch in run], run, 1.0),
        resets=_cat([batch.resets for batch in run], run, 0.0),
    )


def _cat(parts: list[Tensor | None], run: list[Batch], otherwise: float) -> Tensor | None:
    known = next((part for part in parts if part is not None), None)
    if known is None:
        return None
    filled = [
        torch.full((batch.steps, batch.rows), otherwise).to(known.dtype) if part is None else part
        for part, batch in zip(parts, run, strict=True)
    ]
    return torch.cat(filled)


def _last(batch: Batch, steps: int) -> Batch:
    """The last steps: where there is one answer a sequence, it stands there."""
    if batch.steps <= steps:
        return batch
    whole = batch.targets.shape[0] == batch.steps
    return replace(
        batch,
        inputs=batch.inputs[-steps:],
        targets=batch.targets[-steps:] if whole else batch.targets,
        weights=None if batch.weights is None else batch.weights[-steps:],
        resets=None if batch.resets is None else batch.resets[-steps:],
    )
