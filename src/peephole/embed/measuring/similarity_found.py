"""`Similarity`: how well the order of cosines agrees with people's."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class SimilaritySet:
    """A set of pairs.

    Attributes:
        name: of the set.
        pairs: how many it has.
        correlation: Spearman's, of the known pairs; None where there are fewer than three, or one side is all the same.
        scores: what people said of the known pairs, `[known]`.
        cosines: of their vectors, `[known]`.
    """

    name: str
    pairs: int
    correlation: float | None
    scores: NDArray[np.float64]
    cosines: NDArray[np.float64]

    @property
    def known(self) -> int:
        """Pairs whose words are both there."""
        return len(self.scores)

    @property
    def chance(self) -> float | None:
        """About how far from zero chance alone takes the correlation, 1/√(n − 1)."""
        return 1 / math.sqrt(self.known - 1) if self.known > 1 else None


@dataclass(frozen=True, eq=False)
class Similarity:
    """Similarity sets beside some vectors, of which the `searched` most frequent words count."""

    sets: tuple[SimilaritySet, ...]
    searched: int

    @property
    def rows(self) -> tuple[tuple[str, str, str], ...]:
        """Set, Spearman's correlation and what chance would make it, known pairs of all."""
        return tuple(
            (one.name, _correlation(one), f"{one.known:,} of {one.pairs:,}") for one in self.sets
        )  # fmt: skip

    @property
    def verdict(self) -> str:
        """The correlations, and of how many pairs."""
        told = [f"{one.correlation:.3f} on {one.name}" for one in self.sets if one.correlation is not None]
        known, pairs = sum(one.known for one in self.sets), sum(one.pairs for one in self.sets)
        return (
            f"Cosines are in people's order of similarity by Spearman's {', '.join(told) or 'nothing'}; both words of "
            f"{known:,} of {pairs:,} pairs are among {self.searched:,}."
        )

    def plot(self, ax: "Axes") -> None:
        """The correlation of each set, the first at the top, with what chance would make it."""
        shown = [one for one in self.sets if one.correlation is not None][::-1]
        places = range(len(shown))
        ax.barh(places, [one.correlation or 0.0 for one in shown], color="C0", label="these vectors")
        ax.barh(places, [one.chance or 0.0 for one in shown], color="0.6", height=0.25, label="chance, about")
        ax.set_yticks(places, [one.name for one in shown])
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set(xlabel="Spearman's correlation with people")
        ax.legend(loc="best")

    def as_dict(self) -> dict[str, Any]:
        """The numbers, in JSON's types."""
        sets = [
            {"name": one.name, "pairs": one.pairs, "known": one.known, "spearman": one.correlation} for one in self.sets
        ]
        return {"verdict": self.verdict, "searched": self.searched, "sets": sets}


def _correlation(one: SimilaritySet) -> str:
    if one.correlation is None or one.chance is None:
        return "-"
    return f"{one.correlation:.3f} (chance ± {one.chance:.2f})"
