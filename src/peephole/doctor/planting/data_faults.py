"""Faults of data and of one's own code: what the net is given, what is wanted of it, and what counts.

Each function is `plan(task, strength, variant)`, with a strength of 0 to 2 and a variant of 0 or 1.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from peephole.doctor.case import Batch
from peephole.doctor.planting.plan import Plan
from peephole.doctor.planting.tasks import HealthyTask
from peephole.models.sequence import SequenceModel

Change = Callable[[Batch, np.random.Generator], Batch]
LARGEST_NET = 128  # units of a net that is too large


def not_a_number(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A feature that is missing or infinite in a rare sequence or, with symbols, a row whose weights were divided by
    their sum, which was zero; gross: a weight that was never initialised.
    """
    if strength == 2 and variant:
        return Plan(start=_uninitialised)
    share = (0.01, 0.1, 1.0)[strength]
    value = float("inf" if variant else "nan")

    def change(batch: Batch, random: np.random.Generator) -> Batch:
        if random.random() >= share:
            return batch
        step, row = int(random.integers(batch.steps)), int(random.integers(batch.rows))
        if batch.symbols:
            weights = batch.counts.clone()
            weights[:, row] = float("nan")
            return replace(batch, weights=weights)
        inputs = batch.inputs.clone()
        inputs[step, row, 0] = value
        return replace(batch, inputs=inputs)

    return Plan(window=change, training_only=True)


def nothing_to_predict(task: HealthyTask, strength: int, variant: int) -> Plan:
    """Targets that have nothing to do with the inputs in most rows; a text whose characters are shuffled."""
    share = (0.9, 0.97, 1.0)[strength]
    if task.problem is None:
        return Plan(shuffled=share)

    def change(batch: Batch, random: np.random.Generator) -> Batch:
        chosen = torch.from_numpy(random.random(batch.rows) < share)
        others = torch.from_numpy(random.permutation(batch.rows))
        targets = batch.targets.clone()
        targets[:, chosen] = batch.targets[:, others][:, chosen]
        return replace(batch, targets=targets)

    return Plan(window=change)


def targets_shifted(task: HealthyTask, strength: int, variant: int) -> Plan:
    """What is wanted is what has just been read, in some rows."""
    share = (0.4, 0.7, 1.0)[strength]

    def change(batch: Batch, random: np.random.Generator) -> Batch:
        chosen = torch.from_numpy(random.random(batch.rows) < share)
        targets = batch.targets.clone()
        targets[:, chosen] = batch.inputs[:, chosen]
        return replace(batch, targets=targets)

    return Plan(window=change)


def padding_counted(task: HealthyTask, strength: int, variant: int) -> Plan:
    """Sequences filled up to one length, whose filling counts: a symbol and a class of its own, or zeros."""
    share = (0.4, 0.6, 0.8)[strength]
    problem = task.problem
    symbol = problem.symbols if problem is not None else 0
    classes = problem.outputs if problem is not None else 0

    def change(batch: Batch, random: np.random.Generator) -> Batch:
        if problem is None:  # a text has the end of a document to fill up with, and lines of any length
            inputs, targets = batch.inputs.clone(), batch.targets.clone()
            kept = np.clip(random.normal(1 - share, 0.15, batch.rows), 0.05, 1.0)
            for row, length in enumerate(np.ceil(kept * batch.steps).astype(int)):
                inputs[length:, row] = 0
                targets[length:, row] = 0
            return replace(batch, inputs=inputs, targets=targets)
        more = round(batch.steps * share / (1 - share))
        ends = random.integers(more - more // 3, more + more // 3 + 1, batch.rows)
        steps = batch.steps + int(ends.max())
        inputs = _filled(batch.inputs, steps, symbol)
        targets = _filled(batch.targets, steps, classes)
        weights = torch.ones(steps, batch.rows)
        weights[: batch.steps] = batch.counts
        return replace(batch, inputs=inputs, targets=targets, weights=weights)

    return Plan(window=change, padding=problem is not None and problem.symbols > 0)


def rows_leak(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A share of each row's outputs is that of the row before it, or of the mean of all."""
    return Plan(leak=(0.03, 0.3, 1.0)[strength], leak_from="mean" if variant else "row")


def state_carried(task: HealthyTask, strength: int, variant: int) -> Plan:
    """The state goes on from examples, or places of the text, that have nothing to do with what follows."""
    return Plan(unrelated=(0.5, 0.8, 1.0)[strength])


def in_both_splits(task: HealthyTask, strength: int, variant: int) -> Plan:
    """Held-out text that is training text in part."""
    return Plan(repeated=(0.3, 0.6, 1.0)[strength])


def not_normalised(task: HealthyTask, strength: int, variant: int) -> Plan:
    """One feature in other units, or far from zero."""
    scale, offset = (100.0, 300.0, 3000.0)[strength], (10.0, 100.0, 1000.0)[strength]
    if task.name == "waves":  # it has one feature, which a net learns to weigh less
        scale *= 3

    def change(features: Tensor) -> Tensor:
        changed = features.clone()
        changed[..., 0] = changed[..., 0] + offset if variant else changed[..., 0] * scale
        return changed

    return Plan(features=change)


def too_little_data(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A text of some thousand characters, or some dozens of examples, and a net that can learn them by heart."""
    model: dict[str, Any] = {"hidden_size": LARGEST_NET}
    if task.problem is None:
        return Plan(characters=(20_000, 8_000, 3_000)[strength], model=model, training={"window": 32})
    fewer = {"recall": 4, "adding": 4, "waves": 8}.get(task.name, 1)  # of some tasks few examples tell all
    return Plan(pool=(100, 50, 20)[strength] // fewer, model=model)


def _uninitialised(net: SequenceModel) -> None:
    net.recurrent.get_parameter("weight_hh_l0")[0, 0] = float("nan")


def _filled(values: Tensor, steps: int, value: int) -> Tensor:
    filled = torch.full((steps, *values.shape[1:]), 0 if values.is_floating_point() else value, dtype=values.dtype)
    filled[: len(values)] = values
    return filled
