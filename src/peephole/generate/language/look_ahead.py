"""Word models that answer letter by letter: each piece of a word has the probability of all words that begin so."""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from peephole.generate.language.arpa.model import PARTING, UNKNOWN, WORDS
from peephole.generate.language.characters import CharacterNGram
from peephole.generate.language.spelled import END, Spelled

SPELLING_ORDER = 4  # of the characters of words that were never seen
LAST_CHARACTER = chr(0x10FFFF)


@dataclass(frozen=True, eq=False, slots=True)
class Within:
    """A text so far: whole words, and the beginning of one.

    Attributes:
        context: the whole words of the utterance, as far as the model knows of them.
        letters: the beginning of the word that stands last; nothing before its first letter.
        spelling: of these letters, by the model of words that were never seen.
        spelled: log P of them by it.
        log_mass: log P, given the whole words, that the letters stand there; at the beginning of a later word what
            `LookAhead._going` has of it.
        said: whether anything stands there.
    """

    context: Any
    letters: str
    spelling: Spelled
    spelled: float
    log_mass: float
    said: bool


class LookAhead(ABC):
    """A `LanguageModel` over whole words that any units can ask.

    Summing over all words that begin so looks ahead: a search is told with every letter what the whole word will cost.
    Words that the vocabulary lacks share the probability of an unknown word, spelled by n-grams of the characters of
    the words that it has; all texts together have probability one.
    """

    def __init__(self, words: Sequence[str], spelling: CharacterNGram) -> None:
        """`words` in the order of code points; to `_sum` they are numbers from `WORDS` on, as in `ArpaModel`."""
        self._words, self._spelling = list(words), spelling

    @abstractmethod
    def _first(self) -> Any:
        """The context at the beginning of an utterance."""

    @abstractmethod
    def _after(self, context: Any, number: int) -> Any:
        """The context once a word stands in it, or `UNKNOWN`."""

    @abstractmethod
    def _sum(self, context: Any, first: int, last: int | None = None) -> float:
        """P of what has the numbers from `first` up to `last`, or `first` alone, after a context."""

    def _going(self, context: Any) -> float:
        """log P that the utterance is not over after a context, counted where a space is written."""
        return float(np.log(self._sum(context, UNKNOWN) + self._sum(context, WORDS, WORDS + len(self._words))))

    def begin(self) -> Within:
        """Before the first letter of an utterance."""
        return Within(self._first(), "", self._spelling.begin(), 0.0, 0.0, False)

    def scores(self, states: Sequence[Within], pieces: Sequence[str]) -> Float[np.ndarray, "states pieces"]:
        """log P of every piece after every state, in nats."""
        return np.array([[self._extended(state, piece)[1] for piece in pieces] for state in states], dtype=np.float64)

    def extend(self, states: Sequence[Within], pieces: Sequence[str]) -> list[Within]:
        """The states once each has its piece."""
        return [self._extended(state, piece)[0] for state, piece in zip(states, pieces, strict=True)]

    def end(self, states: Sequence[Within]) -> Float[np.ndarray, " states"]:
        """log P that the utterance is over at each state, in nats."""
        return np.array([self._ended(state) for state in states], dtype=np.float64)

    def _extended(self, state: Within, piece: str) -> tuple[Within, float]:
        """The state once it has its piece, and log P of that."""
        gain = 0.0
        letters, *later = piece.split(" ")
        if letters:
            state, added = self._written(state, letters)
            gain += added
        for letters in later:
            state, added = self._next_word(state)
            gain += added
            if letters:
                state, added = self._written(state, letters)
                gain += added
        return state, gain

    def _written(self, state: Within, letters: str) -> tuple[Within, float]:
        """More letters of the word that stands last."""
        spelling, gain = self._spelling.read(state.spelling, letters)
        spelled, written = state.spelled + gain, state.letters + letters
        log_mass = self._log_mass(state.context, spelled, *self._range(written))
        return Within(state.context, written, spelling, spelled, log_mass, True), log_mass - state.log_mass

    def _next_word(self, state: Within) -> tuple[Within, float]:
        """A space: the word is whole, and another one follows."""
        whole, context = self._whole(state)
        going = self._going(context)
        return Within(context, "", self._spelling.begin(), 0.0, going, True), whole + going

    def _ended(self, state: Within) -> float:
        """log P of the end; after a space another word follows, if one without letters."""
        if not state.said:
            return float(np.log(self._sum(state.context, PARTING)))
        whole, context = self._whole(state)
        return whole + float(np.log(self._sum(context, PARTING)))

    def _whole(self, state: Within) -> tuple[float, Any]:
        """log P that the word goes on no more, and the context that it makes."""
        place, end = self._range(state.letters)
        known = place < end and self._words[place] == state.letters
        spelled = state.spelled + self._spelling.read(state.spelling, END)[1]
        number = place + WORDS if known else UNKNOWN
        log_mass = self._log_mass(state.context, spelled, place, place + known)
        return log_mass - state.log_mass, self._after(state.context, number)

    def _log_mass(self, context: Any, spelled: float, first: int, last: int) -> float:
        """log P that the next word is one of those from `first` up to `last`, or an unknown one spelled so."""
        known = self._sum(context, first + WORDS, last + WORDS)
        unknown = np.log(self._sum(context, UNKNOWN)) + spelled
        return float(np.logaddexp(np.log(known), unknown)) if known > 0 else float(unknown)

    def _range(self, letters: str) -> tuple[int, int]:
        """Places of the words that begin so."""
        first = bisect_left(self._words, letters)
        return first, bisect_left(self._words, letters + LAST_CHARACTER, lo=first)
