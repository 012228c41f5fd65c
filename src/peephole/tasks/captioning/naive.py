"""The naive methods: one caption for all pictures, and the caption of the picture whose pixels are most alike."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

from peephole.data.captioning.pictures import Pictures
from peephole.tasks.captioning.cider import Cider, Ngram, Weighed, Words, ngrams

TRIED = 20  # captions that are measured whole, of those that look best
ASKED = 1000  # pictures of training that they are measured on, at even distances
SMALL = 16  # side of the pictures that are compared
TOGETHER = 256  # pictures compared at once
ORDERS = 4

References = Sequence[Sequence[Words]]


def best_by_bleu(references: References) -> Words:
    """The caption of training that, said of every picture of training, has the highest BLEU-4: of all, exactly.

    The numerator of an order's precision is a sum over the caption's n-grams of the number of pictures whose
    references have it, as often as it is there, so that a table of those numbers says all.
    """
    having: Counter[tuple[Ngram, int]] = Counter()  # pictures one of whose references has an n-gram so often
    lengths: list[list[int]] = []
    for captions in references:
        most: Counter[Ngram] = Counter()
        for words in captions:
            most |= ngrams(words)
        having.update((gram, time) for gram, count in most.items() for time in range(1, count + 1))
        lengths.append([len(words) for words in captions])
    nearest: dict[int, int] = {}  # words of the references of the nearest length, by the length of the caption
    best: tuple[float, Words] = (-math.inf, references[0][0])
    for words in _different(references):
        count = len(words)
        if count < ORDERS:
            continue
        right = [0] * ORDERS
        for gram, times in ngrams(words).items():
            right[len(gram) - 1] += sum(having[gram, time] for time in range(1, times + 1))
        if count not in nearest:
            nearest[count] = sum(min(one, key=lambda length: (abs(length - count), length)) for one in lengths)
        if min(right) == 0:
            continue
        said = [len(references) * (count - order) for order in range(ORDERS)]
        precision = sum(math.log(one / other) for one, other in zip(right, said, strict=True)) / ORDERS
        score = precision + min(0.0, 1 - nearest[count] / said[0])
        best = max(best, (score, words), key=lambda pair: pair[0])
    return best[1]


def best_by_cider(references: References) -> Words:
    """The caption of training that has about the highest CIDEr-D, said of every picture of training.

    All are ranked by their product with the mean reference, which is the score without clipping and lengths; the first
    few are measured on pictures of training at even distances.
    """
    cider = Cider(references)
    mean: dict[Ngram, float] = {}
    weighed = [(words, cider.weighed(words)) for words in _different(references)]
    for _, one in weighed:
        for gram, weight in one.weights.items():
            norm = one.norms[len(gram) - 1]
            mean[gram] = mean.get(gram, 0.0) + (weight / norm if norm else 0.0)
    likely = sorted(weighed, key=lambda pair: -_product(pair[1], mean))[:TRIED]
    places = {int(place) for place in np.linspace(0, len(references) - 1, min(ASKED, len(references)))}
    asked = [[cider.weighed(words) for words in references[place]] for place in sorted(places)]

    def worth(said: Weighed) -> float:
        return sum(sum(cider.likeness(said, one) for one in captions) / len(captions) for captions in asked)

    return max(likely, key=lambda pair: worth(pair[1]))[0]


def _different(references: References) -> list[Words]:
    """Each caption once, in order."""
    return list(dict.fromkeys(words for captions in references for words in captions))


def _product(one: Weighed, mean: dict[Ngram, float]) -> float:
    norms = [norm or math.inf for norm in one.norms]
    return sum(weight * mean[gram] / norms[len(gram) - 1] for gram, weight in one.weights.items())


def most_agreed(references: References, places: Sequence[int]) -> list[Words]:
    """Of some of the pictures the caption that is most like the others of it (consensus, Devlin et al. 2015)."""
    cider = Cider(references)
    found: list[Words] = []
    for place in places:
        weighed = [cider.weighed(words) for words in references[place]]
        agreement = [
            sum(cider.likeness(one, other) for number, other in enumerate(weighed) if number != own)
            for own, one in enumerate(weighed)
        ]
        found.append(references[place][int(np.argmax(agreement))])
    return found


def nearest_pictures(pictures: Pictures, known: Sequence[int], asked: Sequence[int]) -> Int64[np.ndarray, " asked"]:
    """The place among `known` of the picture whose pixels, 16 × 16 of them, are nearest to those of each asked one."""
    stored = _small(pictures, known)
    squares = (stored**2).sum(1)
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(asked), TOGETHER):
        some = _small(pictures, asked[start : start + TOGETHER])
        found.append((squares - 2 * some @ stored.T).argmin(1))
    return np.concatenate(found).astype(np.int64)


def _small(pictures: Pictures, numbers: Sequence[int]) -> NDArray[np.float32]:
    """The mean of each square of pixels, `[pictures, 16 · 16 · 3]`."""
    side = pictures.shape[1] // SMALL
    found = np.empty((len(numbers), SMALL * SMALL * 3), np.float32)
    for row, number in enumerate(numbers):
        found[row] = pictures[number].reshape(SMALL, side, SMALL, side, 3).mean((1, 3)).ravel() / 255
    return found
