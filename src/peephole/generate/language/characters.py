"""n-grams of characters as a language model."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.language.spelled import END, Spelled, SpelledModel
from peephole.models.ngram import NGram

MOST_KEPT = 1 << 24  # log-probabilities of contexts that were asked before: 128 MB


class CharacterNGram(SpelledModel):
    """Interpolated Kneser-Ney over the characters of utterances, each ended by a line end.

    A character that the utterances lack is an unknown one, and has what interpolation leaves to what was never seen.

    >>> model = CharacterNGram.fit(["one two", "two one"], order=3)
    >>> model.scores([model.begin()], ["o", "tw", "w"]).argmax(1).tolist()
    [0]
    """

    def __init__(self, counts: NGram, tokenizer: Tokenizer) -> None:
        """Use `fit`."""
        super().__init__(tokenizer)
        self._counts = counts
        self._states: dict[tuple[int, ...], Spelled] = {}

    @classmethod
    def fit(cls, utterances: Sequence[str], order: int) -> "CharacterNGram":
        """Count n-grams of up to `order` characters.

        Raises:
            InputError: no utterance, or an order outside 1 to 8.
        """
        if not utterances:
            raise InputError("no utterance to count characters in; expected at least one")
        counts = Counter(END)
        for line in utterances:
            counts.update(line)
        tokenizer = Tokenizer.characters(counts)
        text = tokenizer.encode("".join(line + END for line in utterances)).astype(np.int64)
        ends = np.flatnonzero(text == tokenizer.encode(END)[0])
        begins = np.concatenate([[0], ends[:-1] + 1])
        # so many beginnings that an utterance begins with a full context
        text = np.insert(text, np.repeat(begins, order - 1), tokenizer.eod)
        try:
            return cls(NGram.fit(text, len(tokenizer), order), tokenizer)
        except ValueError as error:
            raise InputError(f"n-grams of characters: {error}") from None

    def begin(self) -> Spelled:
        """Before the first character."""
        return self._state((self.tokenizer.eod,) * (self._counts.order - 1))

    def step(self, states: Sequence[Spelled], symbols: Sequence[int]) -> list[Spelled]:
        """Each state, one character on."""
        kept = self._counts.order - 1
        longer = [(*state.inner, symbol) for state, symbol in zip(states, symbols, strict=True)]
        return [self._state(context[len(context) - kept :]) for context in longer]

    def _state(self, context: tuple[int, ...]) -> Spelled:
        found = self._states.get(context)
        if found is None:
            if len(self._states) * len(self.tokenizer) > MOST_KEPT:
                self._states.clear()
            shares = self._counts.following(np.array(context))
            shares[self.tokenizer.eod] = 0.0  # no utterance has a beginning within
            with np.errstate(divide="ignore"):
                found = Spelled(np.log(shares / shares.sum()), context)
            self._states[context] = found
        return found
