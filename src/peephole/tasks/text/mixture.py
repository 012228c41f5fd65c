"""Two models as one: probabilities mixed linearly, in shares that suit one text and are then used on another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 200  # of expectation and maximisation; each brings the share nearer, by ever less
NEAR = 1e-6  # nearer than which it need not come


@dataclass(frozen=True)
class Mixture:
    """What both together pay on a text.

    Attributes:
        share: of the net; the n-gram has the rest.
        nats: a token, on the text measured.
        net: what the net alone pays there.
        chosen_on: the tokens that the share was chosen on, in words.
    """

    share: float
    nats: float
    net: float
    chosen_on: str


def mixed(net: NDArray[np.float64], other: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """−ln (share · p_net + (1 − share) · p_other) of each token, from −ln of each p, `[tokens]`."""
    with np.errstate(divide="ignore"):
        return -np.logaddexp(np.log(share) - net, np.log(1 - share) - other)


def best_share(net: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The share of the net that is best on these tokens, by expectation maximisation (Jelinek & Mercer 1980).

    What is maximised has one maximum, as the likelihood is concave in the share.
    """
    share = 0.5
    for _ in range(ROUNDS):
        before, share = share, float(np.exp(np.log(share) - net + mixed(net, other, share)).mean())
        if abs(share - before) < NEAR:
            break
    return min(max(share, NEAR), 1 - NEAR)
