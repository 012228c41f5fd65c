"""n-grams of characters as a language model."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.language.arpa.model import PARTING, ArpaModel
from peephole.generate.language.spelled import END, Spelled, SpelledModel
from peephole.models.ngram import NGram

LEAST = 1e-12  # probability of anything, so that no text is impossible and can be compared with others
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
        self._parting = int(tokenizer.encode(END)[0])
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
        text = tokenizer.encode("".join(line + END for line in utterances))
        try:
            parting = int(tokenizer.encode(END)[0])
            return cls(NGram.fit(text, len(tokenizer), order, parting, (tokenizer.eod,)), tokenizer)
        except ValueError as error:
            raise InputError(f"n-grams of characters: {error}") from None

    @classmethod
    def of(cls, model: ArpaModel) -> "CharacterNGram":
        """The n-grams of a file whose tokens are characters.

        Raises:
            InputError: they know of no ends of utterances, or are of words or control characters.
        """
        if model.ngram.boundary is None or not model.of_characters:
            raise InputError("n-grams without </s> or of more than characters; expected those of characters of lines")
        tokenizer = Tokenizer.characters(dict.fromkeys(model.symbols[PARTING:], 1))
        if tokenizer.symbols != list(model.symbols):
            raise InputError("n-grams of control characters; expected those that people write")
        return cls(model.ngram, tokenizer)

    def begin(self) -> Spelled:
        """Before the first character."""
        return self._state((self._parting,) if self._counts.order > 1 else ())

    def step(self, states: Sequence[Spelled], symbols: Sequence[int]) -> list[Spelled]:
        """Each state, one character on."""
        kept = self._counts.order - 1
        longer = [(*state.inner, symbol) for state, symbol in zip(states, symbols, strict=True)]
        return [self._state(context[max(0, len(context) - kept) :]) for context in longer]

    def _state(self, context: tuple[int, ...]) -> Spelled:
        found = self._states.get(context)
        if found is None:
            if len(self._states) * len(self.tokenizer) > MOST_KEPT:
                self._states.clear()
            # Files may leave unknown characters no probability, and those that do leave a text without any.
            shares = np.maximum(self._counts.following(np.array(context, dtype=np.int64)), LEAST)
            shares[self.tokenizer.eod] = 0.0  # never comes
            with np.errstate(divide="ignore"):
                found = Spelled(np.log(shares / shares.sum()), context)
            self._states[context] = found
        return found
