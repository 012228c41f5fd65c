"""`LanguageModel`: what a decoder asks, over text and not over anybody's tokens.

The decoder's units may be characters, words or byte-pairs: a *piece* is what one of them adds to the text, `e`, ` one`
(with the space before it) or `ing`. A *state* stands for the text so far; it is a value, which nothing changes and
which is forgotten with the last who holds it.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

State = Any  # what a model's `begin` and `extend` give, and nobody else looks into


@runtime_checkable
class LanguageModel(Protocol):
    """Utterances, one after another unrelated: text without line ends, words with one space between them."""

    def begin(self) -> State:
        """The state before the first piece."""
        ...

    def scores(self, states: Sequence[State], pieces: Sequence[str]) -> Float[np.ndarray, "states pieces"]:
        """log P of every piece after every state, in nats."""
        ...

    def extend(self, states: Sequence[State], pieces: Sequence[str]) -> list[State]:
        """The states once each has its piece."""
        ...

    def end(self, states: Sequence[State]) -> Float[np.ndarray, " states"]:
        """log P that the utterance is over at each state, in nats."""
        ...


def log_probability(model: LanguageModel, text: str) -> float:
    """log P of a whole utterance, its end included, in nats."""
    state = model.begin()
    said = float(model.scores([state], [text])[0, 0]) if text else 0.0
    return said + float(model.end(model.extend([state], [text]) if text else [state])[0])
