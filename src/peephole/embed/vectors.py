"""`Vectors`: words, each with a vector of its own, and which of them point the same way."""

import difflib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from peephole.errors import InputError

SPELLINGS = 5  # that are named for a word that is not there


@dataclass(frozen=True)
class Neighbour:
    """A word, and the cosine of its vector with that of the word that was asked for."""

    word: str
    cosine: float


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors of V words, M numbers each.

    Attributes:
        words: how each is spelled; no two are the same.
        rows: the vector of each, `[V, M]` float32.
        counts: how often training had each, `[V]`; None where that is not known.

    >>> rows = np.array([[1, 0], [2, 1], [0, 1]], dtype=np.float32)
    >>> [one.word for one in Vectors(("king", "queen", "of"), rows).nearest("king")]
    ['queen', 'of']
    """

    words: tuple[str, ...]
    rows: Float[np.ndarray, "words numbers"]
    counts: Int[np.ndarray, " words"] | None = None

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or len(self.rows) != len(self.words):
            raise InputError(
                f"got {len(self.words)} words with vectors of shape {list(self.rows.shape)}; expected a row a word"
            )
        if not np.isfinite(self.rows).all():
            raise InputError("a vector holds numbers that are not finite; expected those of a net that did not diverge")

    def __len__(self) -> int:
        return len(self.words)

    def place(self, word: str) -> int:
        """The row of a word. `InputError` names words that are spelled much like one that is not there."""
        if word in self.words:
            return self.words.index(word)
        near = difflib.get_close_matches(word, self.words, SPELLINGS, cutoff=0.7)
        hint = f"spelled much like it: {', '.join(near)}" if near else "and none is spelled much like it"
        raise InputError(f"{word!r} is not among the {len(self):,} that training had often enough; {hint}")

    def nearest(self, word: str, count: int = 10) -> tuple[Neighbour, ...]:
        """The words whose vectors have the largest cosine with that of `word`, itself left out; the nearest first.

        Raises:
            InputError: `word` is not there, or `count` is below 1.
        """
        if count < 1:
            raise InputError(f"{count} neighbours; expected at least 1")
        place = self.place(word)
        directions = unit(self.rows)
        cosines = directions @ directions[place]
        cosines[place] = -np.inf
        order = np.argsort(-cosines, kind="stable")[: min(count, len(self) - 1)]
        return tuple(Neighbour(self.words[near], float(cosines[near])) for near in order.tolist())


def unit(rows: Float[np.ndarray, "words numbers"]) -> Float[np.ndarray, "words numbers"]:
    """Each row with length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
