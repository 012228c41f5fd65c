"""`Vectors`: words, each with a vector of its own, and which of them point the same way."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from peephole.embed.spelling import spelled_like
from peephole.errors import InputError

SPELLINGS = 5  # that are named for a word that is not there
ROWS = 1 << 16  # that are looked at at once, so that a large table takes no second one


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
        if not all(np.isfinite(self.rows[start : start + ROWS]).all() for start in range(0, len(self.rows), ROWS)):
            raise InputError("a vector holds numbers that are not finite; expected those of a net that did not diverge")

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each word."""
        return {word: place for place, word in enumerate(self.words)}

    @cached_property
    def directions(self) -> Float[np.ndarray, "words numbers"]:
        """The rows with length 1; those of zeros stay so."""
        return unit(self.rows)

    def place(self, word: str) -> int:
        """The row of a word. `InputError` names words that are spelled much like one that is not there."""
        if word in self.places:
            return self.places[word]
        near = spelled_like(word, self.words, SPELLINGS)
        hint = f"spelled much like it: {', '.join(near)}" if near else "and none is spelled much like it"
        raise InputError(f"{word!r} is not among the {len(self):,} words that have vectors; {hint}")

    def nearest(self, word: str, count: int = 10) -> tuple[Neighbour, ...]:
        """The words whose vectors have the largest cosine with that of `word`, itself left out; the nearest first.

        Raises:
            InputError: `word` is not there, or `count` is below 1.
        """
        if count < 1:
            raise InputError(f"{count} neighbours; expected at least 1")
        place = self.place(word)
        cosines = self.directions @ self.directions[place]
        cosines[place] = -np.inf
        order = np.argsort(-cosines, kind="stable")[: min(count, len(self) - 1)]
        return tuple(Neighbour(self.words[near], float(cosines[near])) for near in order.tolist())


def unit(rows: Float[np.ndarray, "words numbers"]) -> Float[np.ndarray, "words numbers"]:
    """Each row with length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
