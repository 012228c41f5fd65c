"""n-grams of words as a language model that answers letter by letter, so that any units can ask it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.generate.language.arpa.model import NEVER, PARTING, WORDS, ArpaModel
from peephole.generate.language.characters import LEAST, CharacterNGram
from peephole.generate.language.look_ahead import SPELLING_ORDER, LookAhead
from peephole.models.ngram import NGram

MOST_KEPT = 1 << 24  # sums of contexts that were asked before: 128 MB


class WordNGram(LookAhead):
    """Interpolated Kneser-Ney over words, asked letter by letter: see `LookAhead`.

    >>> model = WordNGram.fit(["one two", "two one", "one three"], order=2)
    >>> state = model.extend([model.begin()], ["one t"])
    >>> model.scores(state, ["wo", "hree", "ext"]).argsort()[0].tolist()
    [2, 1, 0]
    """

    def __init__(self, counts: NGram, words: Sequence[str], spelling: CharacterNGram) -> None:
        """Use `fit` or `of`. Numbers as in `ArpaModel`: 1 is an unknown word, 2 parts utterances, from 3 on `words`."""
        super().__init__(words, spelling)
        self._counts = counts
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
        numbers = {word: number for number, word in enumerate(words, WORDS)}
        ids = [number for line in lines for number in [*map(numbers.__getitem__, line), PARTING]]
        try:
            counts = NGram.fit(ids, len(words) + WORDS, order, PARTING, (NEVER,))
        except ValueError as error:
            raise InputError(f"n-grams of words: {error}") from None
        return cls(counts, words, CharacterNGram.fit(words, SPELLING_ORDER))

    @classmethod
    def of(cls, model: ArpaModel) -> "WordNGram":
        """The n-grams of a file.

        Raises:
            InputError: they know of no ends of utterances, or of no word.
        """
        words = model.symbols[WORDS:]
        if model.ngram.boundary is None or not words:
            raise InputError("n-grams without </s> or without words; expected those of utterances, as SRILM makes them")
        return cls(model.ngram, words, CharacterNGram.fit(words, SPELLING_ORDER))

    def _first(self) -> tuple[int, ...]:
        return (PARTING,) if self._counts.order > 1 else ()

    def _after(self, context: tuple[int, ...], number: int) -> tuple[int, ...]:
        longer = (*context, number)
        return longer[max(0, len(longer) - self._counts.order + 1) :]

    def _sum(self, context: tuple[int, ...], first: int, last: int | None = None) -> float:
        sums = self._sums.get(context)
        if sums is None:
            if (len(self._sums) + 1) * len(self._words) > MOST_KEPT:
                self._sums.clear()
            # Files may leave unknown words no probability, and those that do leave a text without any.
            shares = np.maximum(self._counts.following(np.array(context, dtype=np.int64)), LEAST)
            shares[NEVER] = 0
            sums = self._sums[context] = np.concatenate([[0.0], np.cumsum(shares / shares.sum())])
        return float(sums[first + 1 if last is None else last] - sums[first])
