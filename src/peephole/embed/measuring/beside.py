"""Two sets of vectors side by side: whether they agree on which words lie near each other.

Neighbours do not depend on how many numbers a word has nor on how the axes lie, so vectors of different sizes, of
different nets and of different texts can be compared by them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from peephole.embed.vectors import Vectors, unit
from peephole.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ASKED = 1000  # words whose neighbours are compared, drawn at random; all of them where there are fewer
TOGETHER = 100  # of them at a time
MOST = 100_000  # words in common, the most frequent ones, among which neighbours are looked for


@dataclass(frozen=True, eq=False)
class Beside:
    """How far two sets of vectors agree.

    Attributes:
        words: of each.
        numbers: a word has in each.
        common: words that both have; neighbours are looked for among the `searched` of them that are the most
            frequent in the first.
        count: neighbours of a word.
        shared: of each word asked for, the share of its neighbours that both name, `[asked]`.
        cosine: the mean cosine of a word's two vectors; None where they have not as many numbers.
    """

    words: tuple[int, int]
    numbers: tuple[int, int]
    common: int
    searched: int
    count: int
    shared: NDArray[np.float64]
    cosine: float | None

    @property
    def chance(self) -> float:
        """The share that neighbours drawn by lot would have."""
        return self.count / (self.searched - 1)

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """What was compared."""
        apart = f"cannot be taken: {self.numbers[0]:,} numbers a word and {self.numbers[1]:,}"
        return (
            ("words", f"{self.words[0]:,} and {self.words[1]:,}, {self.common:,} in common"),
            ("numbers a word", f"{self.numbers[0]:,} and {self.numbers[1]:,}"),
            (f"of {self.count} neighbours both name", f"{self.count * self.shared.mean():.2f} (chance "
             f"{self.count * self.chance:.3f}), of {len(self.shared):,} words"),
            ("cosine of a word's two vectors", apart if self.cosine is None else f"{self.cosine:.3f}"),
        )  # fmt: skip

    @property
    def verdict(self) -> str:
        """How many neighbours both name."""
        return (
            f"Of the {self.count} nearest neighbours of a word both name {self.count * self.shared.mean():.1f}, among "
            f"{self.searched:,} words in common; neighbours drawn by lot would share {self.count * self.chance:.3f}."
        )

    def plot(self, ax: "Axes") -> None:
        """How many words share how many of their neighbours."""
        edges = (np.arange(self.count + 2) - 0.5).tolist()
        ax.hist(self.count * self.shared, edges, color="C0", alpha=0.75, label="words")
        ax.axvline(self.count * self.chance, color="0.3", linestyle="--", linewidth=1.4, label="chance")
        ax.set(xlabel=f"of {self.count} neighbours both name", ylabel="words")
        ax.legend(loc="best")

    def as_dict(self) -> dict[str, Any]:
        """The numbers, in JSON's types."""
        return {
            "verdict": self.verdict, "words": list(self.words), "numbers": list(self.numbers), "common": self.common,
            "searched": self.searched, "neighbours": self.count, "asked": len(self.shared),
            "shared": float(self.shared.mean()), "chance": self.chance, "cosine": self.cosine,
        }  # fmt: skip


def measure_beside(first: Vectors, second: Vectors, count: int = 10, seed: int = 0) -> Beside:
    """Compare the `count` nearest neighbours of up to 1,000 words, which `seed` draws, among words that both have.

    Raises:
        InputError: `count` is below 1, or fewer than `count` + 2 words are spelled the same in both.
    """
    if count < 1:
        raise InputError(f"{count} neighbours; expected at least 1")
    shared = [(place, second.places[word]) for place, word in enumerate(first.words) if word in second.places]
    if len(shared) < count + 2:
        raise InputError(
            f"{len(shared)} words of {len(first):,} and {len(second):,} are spelled the same in both; expected "
            f"{count + 2} at least, to compare {count} neighbours"
        )
    if first.counts is not None:
        shared.sort(key=lambda pair: -int(first.counts[pair[0]]))  # pyright: ignore[reportOptionalSubscript]
    kept = np.array(shared[:MOST])
    one, other = unit(first.rows[kept[:, 0]]), unit(second.rows[kept[:, 1]])
    asked = np.random.default_rng(seed).permutation(len(kept))[:ASKED]
    found: list[int] = []
    for start in range(0, len(asked), TOGETHER):
        some = asked[start : start + TOGETHER]
        sides = [_nearest(side, some, count) for side in (one, other)]
        found += [len(np.intersect1d(*pair)) for pair in zip(*sides, strict=True)]
    alike = one.shape[1] == other.shape[1]
    return Beside(
        words=(len(first), len(second)),
        numbers=(one.shape[1], other.shape[1]),
        common=len(shared),
        searched=len(kept),
        count=count,
        shared=np.array(found) / count,
        cosine=float(np.einsum("nm,nm->n", one, other).mean()) if alike else None,
    )


def _nearest(rows: Float[np.ndarray, "words numbers"], asked: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The places of the nearest others of each of the words asked for, in no order, `[asked, count]`."""
    cosines = rows[asked] @ rows.T
    cosines[np.arange(len(asked)), asked] = -np.inf
    return np.argpartition(-cosines, count, axis=1)[:, :count]
