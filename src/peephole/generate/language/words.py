"""n-grams of words as a language model that answers letter by letter, so that any units can ask it."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.generate.language.characters import CharacterNGram
from peephole.generate.language.spelled import END, Spelled
from peephole.models.ngram import NGram

SPELLING_ORDER = 4  # of the characters of words that were never seen
MOST_KEPT = 1 << 24  # sums of contexts that were asked before: 128 MB
LAST_CHARACTER = chr(0x10FFFF)


@dataclass(frozen=True, eq=False, slots=True)
class Within:
    """A text so far: whole words, and the beginning of one.

    Attributes:
        context: the last order - 1 whole words, or ends of utterances, by number.
        letters: the beginning of the word that stands last; nothing before its first letter.
        spelling: of these letters, by the model of words that were never seen.
        spelled: log P of them by it.
        log_mass: log P, given the whole words, that the letters stand there; at the beginning of a later word that the
            utterance is not over.
        said: whether anything stands there.
    """

    context: tuple[int, ...]
    letters: str
    spelling: Spelled
    spelled: float
    log_mass: float
    said: bool


class WordNGram:
    """Interpolated Kneser-Ney over words; a piece of one has the probability of all words that begin so, summed.

    Summing looks ahead: a search is told with every letter what the whole word will cost. Words that the utterances
    lack share the probability of an unknown word, spelled by n-grams of the characters of the words that they have; all
    texts together have probability one.

    >>> model = WordNGram.fit(["one two", "two one", "one three"], order=2)
    >>> state = model.extend([model.begin()], ["one t"])
    >>> model.scores(state, ["wo", "hree", "ext"]).argsort()[0].tolist()
    [2, 1, 0]
    """

    def __init__(self, counts: NGram, words: Sequence[str], spelling: CharacterNGram) -> None:
        """Use `fit`. Number 0 is the end of an utterance, 1 an unknown word, then `words`, then the beginning."""
        self._counts, self._words, self._spelling = counts, list(words), spelling
        self._sums: dict[tuple[int, ...], NDArray[np.float64]] = {}

    @classmethod
    def fit(cls, utterances: Sequence[str], order: int) -> "WordNGram":
        """Count n-grams of up to `order` words, which stand between spaces.

        Raises:
            InputError: no word, or an order outside 1 to 8.
        """
        lines = [line.split() for line in utterances]
        words = sorted({word for line in lines for word in line})
        if not words:
            raise InputError("no word to count; expected at least one utterance of one")
        numbers = {word: number for number, word in enumerate(words, 2)}
        before = [len(words) + 2] * (order - 1)  # the beginning of an utterance is a full context
        ids = [number for line in lines for number in [*before, *map(numbers.__getitem__, line), 0]]
        try:
            counts = NGram.fit(ids, len(words) + 3, order)
        except ValueError as error:
            raise InputError(f"n-grams of words: {error}") from None
        return cls(counts, words, CharacterNGram.fit(words, SPELLING_ORDER))

    def begin(self) -> Within:
        """Before the first letter of an utterance."""
        context = (len(self._words) + 2,) * (self._counts.order - 1)
        return Within(context, "", self._spelling.begin(), 0.0, 0.0, False)

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
        going = log(self._sum(context, 1, len(self._words) + 2))  # P that the utterance is not over
        return Within(context, "", self._spelling.begin(), 0.0, going, True), whole + going

    def _ended(self, state: Within) -> float:
        """log P of the end; after a space another word follows, if one without letters."""
        if not state.said:
            return log(self._sum(state.context, 0, 1))
        whole, context = self._whole(state)
        return whole + log(self._sum(context, 0, 1))

    def _whole(self, state: Within) -> tuple[float, tuple[int, ...]]:
        """log P that the word goes on no more, and the context that it makes."""
        place, end = self._range(state.letters)
        known = place < end and self._words[place] == state.letters
        spelled = state.spelled + self._spelling.read(state.spelling, END)[1]
        number = place + 2 if known else 1
        log_mass = self._log_mass(state.context, spelled, place, place + known)
        kept = self._counts.order - 1
        longer = (*state.context, number)
        return log_mass - state.log_mass, longer[len(longer) - kept :]

    def _log_mass(self, context: tuple[int, ...], spelled: float, first: int, last: int) -> float:
        """log P that the next word is one of those from `first` up to `last`, or an unknown one spelled so."""
        known = self._sum(context, first + 2, last + 2)
        unknown = np.log(self._sum(context, 1, 2)) + spelled
        return float(np.logaddexp(np.log(known), unknown)) if known > 0 else float(unknown)

    def _range(self, letters: str) -> tuple[int, int]:
        """Places of the words that begin so."""
        first = bisect_left(self._words, letters)
        return first, bisect_left(self._words, letters + LAST_CHARACTER, lo=first)

    def _sum(self, context: tuple[int, ...], first: int, last: int) -> float:
        """P of what has the numbers from `first` up to `last`, after a context."""
        sums = self._sums.get(context)
        if sums is None:
            if (len(self._sums) + 1) * len(self._words) > MOST_KEPT:
                self._sums.clear()
            shares = self._counts.following(np.array(context))[:-1]  # no utterance has a beginning within
            sums = self._sums[context] = np.concatenate([[0.0], np.cumsum(shares / shares.sum())])
        return float(sums[last] - sums[first])
