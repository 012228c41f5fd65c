"""An n-gram model: interpolated modified Kneser-Ney."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from peephole.models.ngram.counting import count
from peephole.models.ngram.discounts import Discounts
from peephole.models.ngram.level import Level
from peephole.models.ngram.smoothing import smoothed
from peephole.models.ngram.tokens import checked, read_as

LONGEST = 8


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model makes of every token of a text, given those before it.

    Attributes:
        surprisal: -ln p, in nats; inf of what never comes, `[tokens]`.
        seen: tokens of the longest n-gram ending in it that the model has, 0 where it has not even the token: how much
            of what it says was seen, and how much is guessed, `[tokens]`.
        contexts: tokens of the longest context before it that the model has, `[tokens]`.
    """

    surprisal: NDArray[np.float64]
    seen: NDArray[np.uint8]
    contexts: NDArray[np.uint8]


class NGram:
    """An n-gram model over token ids: p(token | the order - 1 tokens before it).

    Each length is interpolated with the next shorter one, down to the uniform distribution over the vocabulary, so
    every probability is above zero; lengths below the order count after how many different tokens an n-gram was seen,
    not how often; counts of 1, of 2 and of more are discounted each by their own (modified Kneser-Ney: Chen and Goodman
    1999, section 4.1.6; discounts in `Discounts.of`). What interpolation gives is kept per n-gram, with a weight per
    context, so scoring looks up the longest n-gram there is, as back-off models do; any of those can be held here too.

    A text is one stream, as of characters; or sentences, each ended by the token `boundary`, which do not know of each
    other. Then a context may begin with the boundary, as the beginning of a sentence, and n-grams that begin with it
    count as often as they were seen, since nothing stands before them (as SRILM and KenLM have `<s>` and `</s>`).

    Memory grows with the number of tokens trained on: for 5-grams of words by 60 bytes each, and twice as much while
    they are counted.

    Attributes:
        levels: the n-grams by length, from 1 on.
        vocabulary_size: V.
        boundary: the token that ends a sentence; None where the text is one stream.
        never: tokens that are never predicted, and part sentences as the boundary does, such as `<eod>`.
        discounts: of each length; empty where the model was not fitted here.

    >>> model = NGram.fit([0, 1, 0, 1, 0, 1, 0, 2], vocabulary_size=3, order=1)
    >>> np.exp(-model.surprisal([0, 1, 2])).round(3).tolist()  # (count - 1/2) / 8 + 3/2 / 8 / 3
    [0.5, 0.375, 0.125]
    """

    def __init__(
        self,
        levels: Sequence[Level],
        vocabulary_size: int,
        boundary: int | None = None,
        never: Sequence[int] = (),
        discounts: Sequence[Discounts] = (),
    ) -> None:
        """Made by `fit`, or of levels that were read."""
        self.levels: tuple[Level, ...] = tuple(levels)
        self.vocabulary_size: int = vocabulary_size
        self.boundary: int | None = boundary
        self.never: tuple[int, ...] = tuple(never)
        self.discounts: tuple[Discounts, ...] = tuple(discounts)
        self._contexts_of = read_as(vocabulary_size, boundary, self.never)

    @property
    def order(self) -> int:
        """Tokens of the longest n-grams: one more than the number of tokens looked back at."""
        return len(self.levels)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of different n-grams of each length."""
        return tuple(len(level.keys) for level in self.levels)

    @classmethod
    def fit(
        cls,
        tokens: ArrayLike,
        vocabulary_size: int,
        order: int,
        boundary: int | None = None,
        never: Sequence[int] = (),
    ) -> "NGram":
        """Count the n-grams of `tokens`, `[tokens]` of integers below `vocabulary_size`, up to length `order`.

        With a boundary the text begins as after one, and the model's order is no longer than its longest sentence.

        Raises:
            ValueError: an order outside 1 to 8, too few tokens to count, ids outside the vocabulary, or tokens that
                never come in a text without a boundary.
        """
        if not 1 <= order <= LONGEST:
            raise ValueError(f"order is {order}: expected 1 (single tokens) to {LONGEST}")
        ids = checked(tokens, vocabulary_size)
        parting = read_as(vocabulary_size, boundary, never)
        if boundary is None:
            if len(ids) < order:
                raise ValueError(f"{len(ids)} tokens: expected at least {order}, the length of one n-gram")
            events, begins = np.ones(len(ids), dtype=np.bool_), np.zeros(len(ids), dtype=np.bool_)
        else:
            ids = np.concatenate([np.array([boundary], dtype=ids.dtype), ids])
            events = ~np.isin(ids, never)
            events[0] = False
            ids = parting[ids]
            begins = ids == boundary
            if not events.any():
                raise ValueError("0 tokens: expected at least 1 that can be predicted")
        counted = count(ids, events, begins, vocabulary_size, order)
        levels, discounts = zip(*smoothed(counted, vocabulary_size, len(set(never))), strict=True)
        return cls(levels, vocabulary_size, boundary, never, discounts)

    def surprisal(self, tokens: ArrayLike) -> NDArray[np.float64]:
        """-ln p of every token given those before it, `[tokens]`, in nats; the first ones have shorter contexts.

        Raises:
            ValueError: ids outside the vocabulary.
        """
        return self.read(tokens).surprisal

    def read(self, tokens: ArrayLike) -> Reading:
        """What the model makes of every token, given those before it; the first ones have shorter contexts.

        Raises:
            ValueError: ids outside the vocabulary.
        """
        ids = checked(tokens, self.vocabulary_size)
        read = self._contexts_of[ids]
        probability = self._uniform()[ids]
        seen, lengths = (np.zeros(len(ids), dtype=np.uint8) for _ in range(2))
        contexts = np.zeros(len(ids), dtype=np.int64)  # number of the context of each token, -1 where there is none
        for length, level in enumerate(self.levels, 1):
            known = np.flatnonzero(contexts >= 0)
            probability[known] *= level.weights[contexts[known]]
            lengths[known] = length - 1
            places, found = level.find(contexts[known] * self.vocabulary_size + ids[known])
            probability[known[found]] = level.probabilities[places[found]]
            seen[known[found]] = length
            # The n-gram that ends at a token is the longer context of the token after it.
            contexts = np.full(len(ids), -1, dtype=np.int64)
            if length == 1:
                places, there = level.find(read[:-1].astype(np.int64))
                contexts[1:][there] = places[there]
            else:
                going = found & (known < len(ids) - 1)
                if self.boundary is not None:
                    going &= read[known] != self.boundary
                contexts[known[going] + 1] = places[going]
        with np.errstate(divide="ignore"):
            return Reading(-np.log(probability), seen, lengths)

    def following(self, context: ArrayLike) -> NDArray[np.float64]:
        """p of every token after `context`, `[V]`: of what stands before it the last order - 1 tokens count.

        Raises:
            ValueError: ids outside the vocabulary.

        >>> NGram.fit([0, 1, 0, 1, 0, 1, 0, 2], vocabulary_size=3, order=2).following([0]).round(3).tolist()
        [0.125, 0.688, 0.188]
        """
        ids = self._contexts_of[checked(context, self.vocabulary_size)]
        if self.boundary is not None and (ids == self.boundary).any():
            ids = ids[np.flatnonzero(ids == self.boundary)[-1] :]
        probability = self._uniform()
        for length, level in enumerate(self.levels[: len(ids) + 1]):
            number = self._number(ids[len(ids) - length :])
            if number is not None:
                there = level.after(number, self.vocabulary_size)
                probability *= level.weights[number]
                probability[level.keys[there] % self.vocabulary_size] = level.probabilities[there]
        return probability

    def tokens(self, length: int, which: slice) -> NDArray[np.int64]:
        """The tokens of n-grams of a length, by number, `[ngrams, length]`."""
        keys = self.levels[length - 1].keys[which]
        columns: list[NDArray[np.int64]] = []
        for shorter in reversed(self.levels[: length - 1]):
            numbers, last = np.divmod(keys, self.vocabulary_size)
            columns.append(last)
            keys = shorter.keys[numbers]
        return np.stack([keys, *reversed(columns)], axis=1)

    def _number(self, ids: NDArray[np.integer]) -> int | None:
        """The number of an n-gram; 0 of the empty one, None of one that is not there."""
        number = 0
        for level, token in zip(self.levels, ids.tolist(), strict=False):
            key = number * self.vocabulary_size + token
            number = int(np.searchsorted(level.keys, key))
            if number == len(level.keys) or level.keys[number] != key:
                return None
        return number

    def _uniform(self) -> NDArray[np.float64]:
        """The same probability for all that can come, `[V]`."""
        shares = np.full(self.vocabulary_size, 1 / (self.vocabulary_size - len(set(self.never))))
        shares[list(self.never)] = 0
        return shares
