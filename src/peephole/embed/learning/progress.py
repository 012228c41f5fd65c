"""How far the learning of word vectors is, and how it is stopped."""

from collections.abc import Callable
from dataclasses import dataclass


class Interrupted(Exception):
    """Training stopped because it was asked to; everything is saved and `--resume` goes on."""


@dataclass(frozen=True)
class Epoch:
    """A time through the text: mean −log P a prediction in nats, with the vectors as they were when it was made; how
    many predictions; words of the text, those left out of the vocabulary included; seconds.
    """

    number: int
    loss: float
    predictions: int
    words: int
    seconds: float

    @property
    def words_per_second(self) -> float:
        return self.words / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Progress:
    """Where a training stands: parts done of all, the epoch, loss and words a second of the last stretch, the rate."""

    done: int
    parts: int
    epoch: int
    epochs: int
    loss: float
    words_per_second: float
    rate: float
    seconds_left: float
    finished: Epoch | None  # the epoch that has just ended


Shown = Callable[[Progress], None]
