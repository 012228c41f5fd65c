"""The naive method of tagging: every word gets the label that it has most often."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class MostFrequent:
    """The most frequent label of each word, and of all words for those that training lacks.

    Attributes:
        words: numbers of the words of training, ascending, `[words]`.
        labels: the label of each.
        usual: the most frequent label of all.
    """

    words: Int64[np.ndarray, " words"]
    labels: Int64[np.ndarray, " words"]
    usual: int

    @classmethod
    def learn(cls, words: NDArray[np.integer], labels: NDArray[np.integer], count: int) -> "MostFrequent":
        """From all words of training and their labels, `[words]` each; `count` labels there are."""
        pairs, times = np.unique(words.astype(np.int64) * count + labels, return_counts=True)
        pairs = pairs[np.lexsort((-pairs, times))]  # the most frequent last; of equals the first label
        best = dict(zip((pairs // count).tolist(), (pairs % count).tolist(), strict=True))
        known = np.array(sorted(best), dtype=np.int64)
        chosen = np.array([best[word] for word in known.tolist()], dtype=np.int64)
        return cls(known, chosen, int(np.bincount(labels, minlength=count).argmax()))

    def answer(self, words: NDArray[np.integer]) -> Int64[np.ndarray, " asked"]:
        """A label for each word, `[asked]`."""
        places = np.minimum(np.searchsorted(self.words, words), len(self.words) - 1)
        return np.where(self.words[places] == words, self.labels[places], self.usual).astype(np.int64)
