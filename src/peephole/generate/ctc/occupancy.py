"""How likely each label is to be said in each frame, over all paths that spell the labels: what CTC trains towards."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from peephole.generate.ctc.outputs import Logs, check_possible, extended, fitting, skippable


@dataclass(frozen=True, eq=False)
class Occupancy:
    """P(frame says it | the labels are said).

    Attributes:
        places: of every label and the blanks between them, `[T, 2 U + 1]`; a row adds up to one.
        symbols: the same by symbol, `[T, V]`: probabilities minus the gradient of -log P by the logits.
        log_probability: log P of the labels, over all paths, in nats.
    """

    places: Float[np.ndarray, "time places"]
    symbols: Float[np.ndarray, "time symbols"]
    log_probability: float


def occupancy(logs: Logs, labels: Int[np.ndarray, " labels"], blank: int = 0) -> Occupancy:
    """Forward and backward variables of CTC (Graves et al. 2006, section 4.1), in logarithms: `[T, V]` and `[U]`.

    Raises:
        InputError: fewer frames than the labels need, labels that are the blank, no symbols or impossible, no
            log-probabilities.
    """
    frames = fitting(logs, labels, blank)
    states = extended(labels, blank)
    emitted = frames[:, states]  # [T, 2 U + 1]
    forward = _forward(emitted, skippable(states, blank))
    # Backwards in time the labels are read from their end: the same recursion over the mirrored states.
    mirrored = _forward(emitted[::-1, ::-1], skippable(states[::-1].copy(), blank))[::-1, ::-1]
    total = float(np.logaddexp.reduce(forward[-1, -2:])) if len(frames) else 0.0
    check_possible(total, labels)
    once = np.where(np.isfinite(emitted), emitted, 0.0)  # the frame is in both
    places = np.exp(forward + mirrored - once - total)
    symbols = np.zeros_like(frames)
    np.add.at(symbols.T, states, places.T)
    return Occupancy(places, symbols, total)


def _forward(emitted: NDArray[np.float64], skips: NDArray[np.bool_]) -> NDArray[np.float64]:
    """log P of all that begins before the first frame and is in a state at each, `[T, 2 U + 1]`."""
    alphas = np.empty_like(emitted)
    alpha = np.full(emitted.shape[1], -np.inf)
    alpha[0] = 0.0
    shut = np.where(skips, 0.0, -np.inf)
    for time, row in enumerate(emitted):
        one, two = np.roll(alpha, 1), np.roll(alpha, 2) + shut
        one[:1], two[:2] = -np.inf, -np.inf
        alpha = np.logaddexp(np.logaddexp(alpha, one), two) + row
        alphas[time] = alpha
    return alphas
