"""`Cider`: how much a caption says what people say of a picture, words that all pictures share counting nothing.

CIDEr-D (Vedantam, Zitnick and Parikh 2015, section 4), with n-grams of one to four words, σ = 6 and the factor 10. The
packages that have it come with Java or large nets; this one is held to the figures of the authors' own program.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

ORDERS = 4  # n-grams of one to so many words
DEVIATION = 6.0  # of the penalty on lengths, in words
FACTOR = 10.0  # that the authors' program multiplies by

Words = tuple[str, ...]
Ngram = tuple[str, ...]


def ngrams(words: Words, orders: int = ORDERS) -> Counter[Ngram]:
    """How often each sequence of one to `orders` words is in a caption."""
    return Counter(
        words[start : start + order] for order in range(1, orders + 1) for start in range(len(words) - order + 1)
    )


@dataclass(frozen=True)
class Weighed:
    """A caption as counts of n-grams times how much each tells.

    Attributes:
        weights: of each n-gram.
        norms: their length as a vector, for each order.
        length: words.
    """

    weights: dict[Ngram, float]
    norms: tuple[float, ...]
    length: int


class Cider:
    """Captions against references. What an n-gram tells is -ln of the share of `pictures` whose references have it.

    Arguments: `references`, of each picture its captions by people, as words.
    """

    def __init__(self, references: Sequence[Sequence[Words]]) -> None:
        self.references = references
        self._pictures: Counter[Ngram] = Counter()
        for captions in references:
            self._pictures.update({gram for words in captions for gram in ngrams(words)})
        self._most = math.log(max(1, len(references)))

    def weighed(self, words: Words) -> Weighed:
        """The vector of a caption; an n-gram that no reference has tells most."""
        squares = [0.0] * ORDERS
        weights: dict[Ngram, float] = {}
        for gram, count in ngrams(words).items():
            weight = count * (self._most - math.log(max(1, self._pictures[gram])))
            weights[gram] = weight
            squares[len(gram) - 1] += weight * weight
        return Weighed(weights, tuple(math.sqrt(value) for value in squares), len(words))

    @staticmethod
    def likeness(said: Weighed, reference: Weighed) -> float:
        """From 0 to 10: the mean over orders of a cosine in which no n-gram counts more often than the reference has
        it, times exp(-d² / 2σ²) of the difference d of lengths.
        """
        sums = [0.0] * ORDERS
        for gram, weight in said.weights.items():
            other = reference.weights.get(gram)
            if other is not None:
                sums[len(gram) - 1] += min(weight, other) * other
        products = [one * other for one, other in zip(said.norms, reference.norms, strict=True)]
        total = sum(part / product for part, product in zip(sums, products, strict=True) if product)
        apart = said.length - reference.length
        return FACTOR * total / ORDERS * math.exp(-(apart**2) / (2 * DEVIATION**2))

    @cached_property
    def _weighed(self) -> list[list[Weighed]]:
        return [[self.weighed(words) for words in captions] for captions in self.references]

    def scores(self, captions: Sequence[Words]) -> list[float]:
        """Of a caption of each picture the mean likeness to its references; their mean is the score of a net."""
        found: list[float] = []
        for words, references in zip(captions, self._weighed, strict=True):
            said = self.weighed(words)
            found.append(sum(self.likeness(said, one) for one in references) / len(references))
        return found
