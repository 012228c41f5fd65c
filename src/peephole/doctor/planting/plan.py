"""`Plan`: what a fault changes of a healthy training, by whatever means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from peephole.doctor.case import Batch
from peephole.models.sequence import SequenceModel


@dataclass(frozen=True)
class Plan:
    """Every field is a means; those that are not used leave the training as it is.

    Attributes:
        cell: the cell in place of the task's own.
        problem, model, training: options by name with their new values.
        start: changes the weights that training begins with, in place.
        features: what is made of features before the net sees them, wherever they come from.
        window: what is made of every batch, of training and of held-out data, by random numbers of its own.
        training_only: `window` leaves held-out data as it is.
        padding: one more symbol and one more class, for what fills up sequences.
        leak: share of a row's outputs that come from other rows.
        leak_from: which ones: the row before, or the mean of all.
        rounds: weights are rounded to bfloat16 after each update.
        pool: examples that are drawn once and used again and again; None for new ones at every step.
        characters: of a text, what is left of it.
        shuffled: share of a text whose characters are shuffled, in stretches of `STRETCH`.
        repeated: share of the held-out text that is replaced by training text.
        unrelated: share of the batches that carry on the state of another sequence.
        cut: steps of the windows that examples of a problem are cut into; the state is carried from one to the next.
    """

    cell: str | None = None
    problem: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    start: Callable[[SequenceModel], None] | None = None
    features: Callable[[Tensor], Tensor] | None = None
    window: Callable[[Batch, np.random.Generator], Batch] | None = None
    training_only: bool = False
    padding: bool = False
    leak: float = 0.0
    leak_from: str = "row"
    rounds: bool = False
    pool: int | None = None
    characters: int | None = None
    shuffled: float = 0.0
    repeated: float = 0.0
    unrelated: float = 0.0
    cut: int | None = None


HEALTHY = Plan()
