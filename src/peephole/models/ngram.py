"""Counts as a model: interpolated Kneser-Ney n-grams, the baseline that a recurrent net has to beat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LONGEST = 8


@dataclass(frozen=True)
class _Level:
    """The n-grams of one length, each a pair of a context (the id of the n-gram without its last token) and a token.

    Attributes:
        keys: context · V + token of each n-gram, ascending, `[ngrams]`; a key's place is the id of its n-gram.
        counts: how often it was seen; below the order, after how many different tokens it was seen, `[ngrams]`.
        totals: sum of the counts that follow each context, `[contexts]`; 0 where nothing does.
        followers: number of different tokens that follow each context, `[contexts]`.
        discount: what is taken off every count.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    totals: NDArray[np.float64]
    followers: NDArray[np.int64]
    discount: float

    @classmethod
    def of(cls, keys: NDArray[np.int64], counts: NDArray[np.int64], contexts: int, vocabulary_size: int) -> "_Level":
        owners = keys // vocabulary_size
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        # The estimate needs n-grams seen once and twice; small alphabets have none among short lengths. A discount of
        # 0 would leave no probability for what was never seen, and one of 1 would forget what was seen once.
        discount = once / (once + 2 * twice) if once and twice else 0.5
        return cls(
            keys=keys,
            counts=counts,
            totals=np.bincount(owners, weights=counts, minlength=contexts).astype(np.float64),
            followers=np.bincount(owners, minlength=contexts),
            discount=discount,
        )


class NGram:
    """An n-gram model over token ids: p(token | the order - 1 tokens before it).

    Each length is interpolated with the next shorter one by absolute discounting, down to the uniform distribution over
    the vocabulary, so every probability is above zero. Lengths below the order count after how many different tokens
    an n-gram was seen, not how often (Kneser and Ney 1995, interpolated as in Chen and Goodman 1999, section 4.1.6; one
    discount D = n1 / (n1 + 2·n2) a length). Memory grows with the number of tokens trained on.

    >>> model = NGram.fit([0, 1, 0, 1, 0, 1, 0, 2], vocabulary_size=3, order=1)
    >>> np.exp(-model.surprisal([0, 1, 2])).round(3).tolist()  # (count - 1/2) / 8 + 3/2 / 8 / 3
    [0.5, 0.375, 0.125]
    """

    def __init__(self, levels: list[_Level], vocabulary_size: int) -> None:
        """Made by `fit`."""
        self._levels = levels
        self.vocabulary_size: int = vocabulary_size

    @property
    def order(self) -> int:
        """Length of the longest n-grams: one more than the number of tokens looked back at."""
        return len(self._levels)

    @classmethod
    def fit(cls, tokens: ArrayLike, vocabulary_size: int, order: int) -> "NGram":
        """Count the n-grams of `tokens`, `[tokens]` of integers below `vocabulary_size`, up to length `order`.

        Raises:
            ValueError: an order outside 1 to 8, fewer tokens than one n-gram has, or ids outside the vocabulary.
        """
        if not 1 <= order <= LONGEST:
            raise ValueError(f"order is {order}: expected 1 (single tokens) to {LONGEST}")
        ids = _checked(tokens, vocabulary_size)
        if len(ids) < order:
            raise ValueError(f"{len(ids)} tokens: expected at least {order}, the length of one n-gram")
        keys, counts, _, names = _group(ids)
        contexts = 1  # of single tokens: the empty one
        levels: list[_Level] = []
        for length in range(2, order + 1):
            # names: the id of the n-gram one shorter that ends at each token, the first ending at token length - 2.
            longer_keys, longer_counts, places, longer_names = _group(names[:-1] * vocabulary_size + ids[length - 1 :])
            # Every different n-gram is one more token seen before the shorter one that it ends in.
            before = np.bincount(names[1:][places], minlength=len(keys))
            before[names[0]] += 1  # at the start of the text, nothing stands for a token
            levels.append(_Level.of(keys, before, contexts, vocabulary_size))
            contexts = len(keys)
            keys, counts, names = longer_keys, longer_counts, longer_names
        levels.append(_Level.of(keys, counts, contexts, vocabulary_size))
        return cls(levels, vocabulary_size)

    def surprisal(self, tokens: ArrayLike) -> NDArray[np.float64]:
        """-ln p of every token given those before it, `[tokens]`, in nats; the first ones have shorter contexts.

        Raises:
            ValueError: ids outside the vocabulary.
        """
        ids = _checked(tokens, self.vocabulary_size)
        probability = np.full(len(ids), 1 / self.vocabulary_size)
        contexts = np.zeros(len(ids), dtype=np.int64)  # id of the context of each token, -1 where training had none
        for level in self._levels:
            known = np.flatnonzero(contexts >= 0)
            known = known[level.totals[contexts[known]] > 0]
            context = contexts[known]
            keys = context * self.vocabulary_size + ids[known]
            places = np.searchsorted(level.keys, keys)
            places[places == len(level.keys)] = 0
            found = level.keys[places] == keys
            counts = np.where(found, level.counts[places] - level.discount, 0)
            passed_on = level.discount * level.followers[context] * probability[known]
            probability[known] = (counts + passed_on) / level.totals[context]
            # The n-gram that ends at a token is the longer context of the token after it.
            contexts = np.full(len(ids), -1, dtype=np.int64)
            names = known[found]
            inside = names < len(ids) - 1
            contexts[names[inside] + 1] = places[found][inside]
        return -np.log(probability)

    def following(self, context: ArrayLike) -> NDArray[np.float64]:
        """p of every token after `context`, `[V]`: of what stands before it the last order - 1 tokens count.

        Raises:
            ValueError: ids outside the vocabulary.

        >>> NGram.fit([0, 1, 0, 1, 0, 1, 0, 2], vocabulary_size=3, order=2).following([0]).round(3).tolist()
        [0.125, 0.688, 0.188]
        """
        ids = _checked(context, self.vocabulary_size)
        probability = np.full(self.vocabulary_size, 1 / self.vocabulary_size)
        for length, level in enumerate(self._levels):
            name = self._name(ids[len(ids) - length :]) if length <= len(ids) else None
            if name is None or not level.totals[name]:  # and so for every longer one
                break
            first, last = np.searchsorted(level.keys, [name * self.vocabulary_size, (name + 1) * self.vocabulary_size])
            probability *= level.discount * level.followers[name]
            probability[level.keys[first:last] % self.vocabulary_size] += level.counts[first:last] - level.discount
            probability /= level.totals[name]
        return probability

    def _name(self, ids: NDArray[np.int64]) -> int | None:
        """The id of an n-gram; 0 of the empty one, None of one that was never seen."""
        name = 0
        for level, token in zip(self._levels, ids.tolist(), strict=False):
            key = name * self.vocabulary_size + token
            name = int(np.searchsorted(level.keys, key))
            if name == len(level.keys) or level.keys[name] != key:
                return None
        return name


def _checked(tokens: ArrayLike, vocabulary_size: int) -> NDArray[np.int64]:
    ids = np.asarray(tokens).astype(np.int64)
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary_size:
        raise ValueError(f"ids from {ids.min()} to {ids.max()}: expected 0 to {vocabulary_size - 1}")
    return ids


def _group(
    keys: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.intp], NDArray[np.intp]]:
    """The different keys, ascending; how often each occurs; a place where it does; and each key's number among them."""
    different, places, numbers, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return different, counts, places, numbers
