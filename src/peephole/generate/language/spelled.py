"""Language models over symbols that spell a text one by one, such as characters."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from peephole.data.tokenizer import Tokenizer

END = "\n"  # ends every utterance, in the text that a model learnt from as in its answers


@dataclass(frozen=True, eq=False, slots=True)
class Spelled:
    """A text so far: log P of every symbol that may come next, `[V]` in nats, and what the model makes of the rest."""

    following: NDArray[np.float64]
    inner: Any


class SpelledModel(ABC):
    """A `LanguageModel` that answers symbol by symbol; characters that its tokenizer lacks count as its `<unk>`."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._spelling: dict[str, tuple[int, ...]] = {}

    @abstractmethod
    def begin(self) -> Spelled:
        """Before the first symbol of an utterance."""

    @abstractmethod
    def step(self, states: Sequence[Spelled], symbols: Sequence[int]) -> list[Spelled]:
        """Each state, one symbol on."""

    def scores(self, states: Sequence[Spelled], pieces: Sequence[str]) -> Float[np.ndarray, "states pieces"]:
        """log P of every piece after every state, in nats; beginnings that pieces share are read once."""
        spelled = [self._symbols(piece) for piece in pieces]
        totals: dict[tuple[int, ...], NDArray[np.float64]] = {(): np.zeros(len(states))}  # by beginning, of each state
        reached: dict[tuple[int, ...], Sequence[Spelled]] = {(): states}
        for length in range(max(map(len, spelled), default=0)):
            for beginning in dict.fromkeys(piece[: length + 1] for piece in spelled if len(piece) > length):
                rows = np.stack([state.following for state in reached[beginning[:-1]]])
                totals[beginning] = totals[beginning[:-1]] + rows[:, beginning[-1]]
            going = list(dict.fromkeys(piece[: length + 1] for piece in spelled if len(piece) > length + 1))
            before = [state for beginning in going for state in reached[beginning[:-1]]]
            after = self.step(before, [beginning[-1] for beginning in going for _ in states]) if going else []
            reached = {
                beginning: after[place * len(states) : (place + 1) * len(states)]
                for place, beginning in enumerate(going)
            }
        return np.stack([totals[piece] for piece in spelled], axis=1)

    def extend(self, states: Sequence[Spelled], pieces: Sequence[str]) -> list[Spelled]:
        """The states once each has its piece."""
        spelled = [self._symbols(piece) for piece in pieces]
        found = list(states)
        for place in range(max(map(len, spelled), default=0)):
            rows = [row for row, piece in enumerate(spelled) if len(piece) > place]
            stepped = self.step([found[row] for row in rows], [spelled[row][place] for row in rows])
            for row, state in zip(rows, stepped, strict=True):
                found[row] = state
        return found

    def read(self, state: Spelled, piece: str) -> tuple[Spelled, float]:
        """One state once it has its piece, and log P of that, in nats."""
        gain = 0.0
        for symbol in self._symbols(piece):
            gain += float(state.following[symbol])
            state = self.step([state], [symbol])[0]
        return state, gain

    def end(self, states: Sequence[Spelled]) -> Float[np.ndarray, " states"]:
        """log P of the line end at each state, in nats."""
        return self.scores(states, [END])[:, 0]

    def _symbols(self, piece: str) -> tuple[int, ...]:
        found = self._spelling.get(piece)
        if found is None:
            found = self._spelling[piece] = tuple(self.tokenizer.encode(piece).tolist())
        return found
