"""Whether there is anything in the data to predict, from the data alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from peephole.doctor.examination import Examination
from peephole.models.ngram import NGram

READ, ASKED = 200_000, 20_000  # tokens of the training that are counted, and of held-out text that are predicted
ORDERS = (1, 2, 3, 4, 5)
ROWS = 64  # of a batch
PAIRS = 20  # of equal beginnings, fewer of which say nothing of a step; more than 10 times as many count no more


@dataclass(frozen=True)
class Text:
    """Mean surprisal of held-out tokens in nats, of n-grams of each order from 1 on, which looks at no input."""

    surprisal: tuple[float, ...]

    @property
    def gain(self) -> float:
        """The share of the surprisal that is gone when up to four tokens before are looked at; below 0 for worse."""
        return 1 - min(self.surprisal[1:]) / self.surprisal[0] if self.surprisal[0] > 0 else 0.0


@dataclass(frozen=True)
class Agreement:
    """How well targets agree that come after the very same inputs from the start of the sequence on.

    Attributes:
        gain: 0 where they agree no more than any two targets of the same step, 1 where they always do; the mean over
            the steps that can be judged.
        pairs: pairs of equal beginnings.
        steps: steps that can be judged.
    """

    gain: float
    pairs: int
    steps: int


def text(examination: Examination) -> Text | None:
    """Of the streams; None where the data is no text, or too short."""
    streams = examination.case.streams
    if streams is None or min(len(streams[0]), len(streams[1])) < 1000:
        return None
    training, held_out = (np.asarray(part[:size]) for part, size in zip(streams, (READ, ASKED), strict=True))
    size = int(max(training.max(), held_out.max())) + 1
    return Text(tuple(float(NGram.fit(training, size, order).surprisal(held_out).mean()) for order in ORDERS))


def agreement(examination: Examination) -> Agreement | None:
    """Of the training batches that begin sequences; None where too few beginnings are equal."""
    batches = [
        batch.first_rows(ROWS) for batch in examination.case.training if not batch.carry and batch.resets is None
    ]
    groups: dict[int, dict[bytes, list[Tensor]]] = {}
    for batch in batches:
        late = batch.steps - len(batch.targets)  # one answer a sequence comes after the last input
        rows = [batch.inputs[:, row].contiguous().cpu().numpy() for row in range(batch.rows)]
        for step, row in (batch.counts > 0).nonzero().tolist():
            begun = rows[row][: step + late + 1].tobytes()
            groups.setdefault(step + late, {}).setdefault(begun, []).append(batch.targets[step, row])
    gained, weight, pairs, steps = 0.0, 0.0, 0, 0
    for by_beginning in groups.values():
        if len(by_beginning) < 2:
            continue  # all began alike, so that nothing could tell them apart
        every = _apart([target for group in by_beginning.values() for target in group])[0]
        found = [_apart(group) for group in by_beginning.values() if len(group) > 1]
        number = sum(count for _, count in found)
        if number < PAIRS or every <= 0:
            continue
        within = sum(apart * count for apart, count in found) / number
        share = min(number, 10 * PAIRS)
        gained, weight = gained + share * (1 - within / every), weight + share
        pairs, steps = pairs + number, steps + 1
    return Agreement(gained / weight, pairs, steps) if steps else None


def _apart(targets: Sequence[Tensor]) -> tuple[float, int]:
    """How far pairs of targets are apart: the share that differ or, of values, their mean squared distance; and how
    many pairs there are.
    """
    values = torch.stack(list(targets)).double()
    number = len(values) * (len(values) - 1) // 2
    if values.dim() == 2:
        return float(2 * values.var(0).sum()) if number else 0.0, number
    counts = values.unique(return_counts=True)[1].double()
    return 1 - float((counts * (counts - 1)).sum()) / max(1, 2 * number), number
