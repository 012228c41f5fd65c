"""The n-grams of one length, and how to find them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Level:
    """The n-grams of one length, each a context (the number of the n-gram without its last token) and a token.

    Attributes:
        keys: context · V + token of each n-gram, ascending, `[ngrams]`; a key's place is the number of its n-gram.
        probabilities: of the last token after the context, `[ngrams]`.
        weights: what each context leaves to tokens that it was never seen with, as a factor of what the context
            without its first token gives them, `[contexts]`; 1 after a context that nothing was seen after.
    """

    keys: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    weights: NDArray[np.float64]

    def find(self, wanted: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """The numbers of n-grams by their keys, and whether they are there; the number of one that is not is any."""
        if not len(self.keys):
            return np.zeros(len(wanted), dtype=np.intp), np.zeros(len(wanted), dtype=np.bool_)
        places = np.searchsorted(self.keys, wanted)
        places[places == len(self.keys)] = 0
        return places, self.keys[places] == wanted

    def after(self, context: int, vocabulary_size: int) -> slice:
        """Which n-grams begin with a context."""
        first, last = np.searchsorted(self.keys, [context * vocabulary_size, (context + 1) * vocabulary_size])
        return slice(int(first), int(last))
