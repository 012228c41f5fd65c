"""`Lookup`: the most frequent words of some vectors, found with or without regard to capitals."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from peephole.embed.vectors import Vectors, unit
from peephole.errors import InputError

RESTRICT = (
    300_000  # words that questions are answered from; rarer ones are noise, and gensim's evaluation keeps so many
)


@dataclass(frozen=True, eq=False)
class Lookup:
    """The N words that answers are looked for among, the most frequent first.

    Attributes:
        words: as they are spelled.
        rows: their vectors, `[N, M]`.
        alike: of each, the place of the most frequent one that differs in capitals at most, `[N]`; itself where none
            does, and wherever capitals matter.
        places: the place of each spelling, in capitals throughout unless they matter.
        match_case: whether capitals matter.
        restrict: words that were asked for.
    """

    words: tuple[str, ...]
    rows: Float[np.ndarray, "words numbers"]
    alike: NDArray[np.int64]
    places: dict[str, int]
    match_case: bool
    restrict: int

    @classmethod
    def of(cls, vectors: Vectors, restrict: int = RESTRICT, match_case: bool = False) -> "Lookup":
        """The `restrict` most frequent words: by their counts where those are known, else the first ones.

        Of words that differ in capitals alone the most frequent one stands for all, as in gensim.
        """
        if restrict < 1:
            raise InputError(f"--restrict is {restrict}; expected at least 1 word to look for answers among")
        counts = vectors.counts
        if counts is None or not (np.diff(counts) > 0).any():
            words, rows = vectors.words[:restrict], vectors.rows[:restrict]
        else:
            order = np.argsort(-counts, kind="stable")[:restrict]
            words, rows = tuple(vectors.words[place] for place in order.tolist()), vectors.rows[order]
        places: dict[str, int] = {}
        spelled = words if match_case else (word.upper() for word in words)
        alike = np.fromiter((places.setdefault(key, place) for place, key in enumerate(spelled)), np.int64, len(words))
        return cls(words, rows, alike, places, match_case, restrict)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def described(self) -> str:
        """Which words these are, for a message."""
        return f"{len(self):,} {'most frequent ' if len(self) == self.restrict else ''}words of the vectors"

    def find(self, word: str) -> int | None:
        """The place of a word; None where it is not there."""
        return self.places.get(word if self.match_case else word.upper())

    def directions(self) -> Float[np.ndarray, "words numbers"]:
        """The vectors, each with length 1."""
        return unit(self.rows)
