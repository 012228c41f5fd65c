"""The likeliest symbol of every frame, repeats merged and blanks dropped: what the sound says, label by label."""

from dataclasses import dataclass

import numpy as np

from peephole.generate.ctc.outputs import Logs, checked


@dataclass(frozen=True)
class Label:
    """A label and where it lies.

    Attributes:
        symbol: which.
        first, end: frames that say it, from the first up to the one after the last.
        peak: the frame in which it is likeliest.
        confidence: its probability there.
    """

    symbol: int
    first: int
    end: int
    peak: int
    confidence: float


class BestPath:
    """The best path while frames arrive (Graves et al. 2006, section 3.2): memory does not grow with time.

    >>> path = BestPath()
    >>> rows = np.log([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.7, 0.3]])
    >>> [label.symbol for label in path.feed(rows[:2])], path.feed(rows[2:])
    ([], [Label(symbol=1, first=1, end=3, peak=2, confidence=0.9)])
    """

    def __init__(self, blank: int = 0) -> None:
        self.blank = blank
        self.frames = 0  # read so far
        self.going: Label | None = None  # said by the last frame, and perhaps by the next

    def feed(self, logs: Logs) -> list[Label]:
        """Frames that follow the last: the labels that are over. Raises `InputError` as `outputs.checked` does."""
        found = checked(logs, self.blank)
        over: list[Label] = []
        for symbol, log in zip(found.argmax(1).tolist(), found.max(1, initial=-np.inf).tolist(), strict=True):
            frame, share, last = self.frames, float(np.exp(log)), self.going
            self.frames += 1
            if last is not None and last.symbol == symbol:
                peak, best = (frame, share) if share > last.confidence else (last.peak, last.confidence)
                self.going = Label(symbol, last.first, frame + 1, peak, best)
                continue
            over += [] if last is None else [last]
            self.going = None if symbol == self.blank else Label(symbol, frame, frame + 1, frame, share)
        return over

    def finish(self) -> list[Label]:
        """The label that the last frame says, if it says one: no frame follows."""
        last, self.going = self.going, None
        return [] if last is None else [last]


def best_path(logs: Logs, blank: int = 0) -> list[Label]:
    """The labels of the likeliest path through `[T, V]`.

    Raises:
        InputError: `logs` are no log-probabilities, or the blank is none of their symbols.
    """
    path = BestPath(blank)
    return path.feed(logs) + path.finish()
