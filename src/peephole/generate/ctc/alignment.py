"""Where known labels lie in the sound: the likeliest of all paths that spell them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from peephole.generate.ctc.best_path import Label
from peephole.generate.ctc.outputs import Logs, check_possible, extended, fitting, skippable


@dataclass(frozen=True, eq=False)
class Alignment:
    """The likeliest path that spells given labels.

    Attributes:
        labels: each with its frames.
        path: the symbol of every frame, `[T]`.
        log_probability: of this one path, in nats.
    """

    labels: tuple[Label, ...]
    path: NDArray[np.int64]
    log_probability: float


def align(logs: Logs, labels: Int[np.ndarray, " labels"], blank: int = 0) -> Alignment:
    """Viterbi over the labels with blanks between them (Graves et al. 2006, section 4.1): `[T, V]` and `[U]`.

    Raises:
        InputError: fewer frames than the labels need, labels that are the blank, no symbols or impossible, no
            log-probabilities.
    """
    frames = fitting(logs, labels, blank)
    states = extended(labels, blank)
    skips = np.where(skippable(states, blank), 0.0, -np.inf)
    score = np.full(len(states), -np.inf)
    score[:1] = 0.0  # before the first frame: the first two states are a step away
    from_where = np.zeros((len(frames), len(states)), dtype=np.int8)
    for time, row in enumerate(frames):
        one, two = np.roll(score, 1), np.roll(score, 2) + skips
        one[:1], two[:2] = -np.inf, -np.inf
        choices = np.stack([score, one, two])
        from_where[time] = choices.argmax(0)
        score = choices.max(0) + row[states]
    state = len(states) - 1
    if len(states) > 1 and score[state - 1] > score[state]:
        state -= 1
    total = float(score[state])
    check_possible(total, labels)
    visited = np.empty(len(frames), dtype=np.int64)
    for time in range(len(frames) - 1, -1, -1):
        visited[time] = state
        state -= int(from_where[time, state])
    return Alignment(_labels(frames, visited, states, blank), states[visited], total)


def _labels(frames: Logs, visited: NDArray[np.int64], states: NDArray[np.int64], blank: int) -> tuple[Label, ...]:
    found: list[Label] = []
    for state in range(1, len(states), 2):
        here = np.flatnonzero(visited == state)
        symbol = int(states[state])
        peak = int(here[frames[here, symbol].argmax()])
        found.append(Label(symbol, int(here[0]), int(here[-1]) + 1, peak, float(np.exp(frames[peak, symbol]))))
    return tuple(found)
