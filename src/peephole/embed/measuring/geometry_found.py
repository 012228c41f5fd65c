"""`Geometry`: what was measured of vectors of words, beside one-hot vectors of as many words."""

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ONE_HOT = math.sqrt(2)  # the distance of any two one-hot vectors
SIDE = 2  # a cube whose sides are so long has a corner for each side of each axis: N/SIDE^dimensions words for each
BINS = 80


@dataclass(frozen=True)
class Group:
    """Words that training had from `least` to `most` times: how long their vectors are, and the mean cosine of each
    with the nearest other one.
    """

    name: str
    words: int
    least: int
    most: int
    length: float
    nearest: float


@dataclass(frozen=True, eq=False)
class Geometry:
    """Vectors of `words` words, of `numbers` numbers each; lengths and distances as if their mean square length were 1.

    Attributes:
        filled: the share of their numbers that is not zero.
        lengths: of each vector, `[V]`.
        distances: of pairs, `[pairs]`; `cosines` theirs, `[pairs]` or fewer where a vector is all zeros.
        chance: distances of pairs of random vectors of as many numbers, `[pairs]`.
        variances: along the principal axes, the largest first, `[M]`.
        corners: how many of these axes have about as many corners, one for each side of each, as there are words; and
            how many of the corners have a word in them.
        length_and_count: Spearman's correlation of a vector's length and how often its word came; None if not known.
        groups: thirds of the words by how often they came, the most frequent first; none where that is not known.
    """

    words: int
    numbers: int
    filled: float
    lengths: NDArray[np.float64]
    distances: NDArray[np.float64]
    cosines: NDArray[np.float64]
    chance: NDArray[np.float64]
    variances: NDArray[np.float64]
    corners: tuple[int, int]
    length_and_count: float | None
    groups: tuple[Group, ...]

    @property
    def effective(self) -> float:
        """How many dimensions count: the participation ratio of the variances, (Σ λ)² / Σ λ²."""
        return float(self.variances.sum() ** 2 / np.square(self.variances).sum()) if self.variances.any() else 0.0

    @property
    def needed(self) -> int:
        """How many principal axes hold 90 % of the variance."""
        shares = np.cumsum(self.variances) / max(self.variances.sum(), np.finfo(float).tiny)
        return int(np.searchsorted(shares, 0.9) + 1)

    def density(self, dimensions: int) -> float:
        """log10 of how many words there are for each corner of a cube of so many dimensions, N/2^dimensions."""
        return math.log10(self.words) - dimensions * math.log10(SIDE)

    @property
    def denser(self) -> float:
        """By how many orders of magnitude the projection lies more densely than one-hot vectors."""
        return self.density(self.numbers) - self.density(self.words)

    @property
    def rows(self) -> tuple[tuple[str, str, str], ...]:
        """What is compared, of one-hot vectors, and of these."""
        axes, used = self.corners
        by_chance = 1 - math.exp(-self.words / 2**axes)
        spread = f"{self.cosines.mean():.2f} ± {self.cosines.std():.2f}, of random ones 0 ± {self.numbers**-0.5:.2f}"
        return (
            ("dimensions", f"{self.words:,}", f"{self.numbers:,}"),
            ("dimensions that count", f"{self.words - 1:,}", f"{self.effective:.1f} (90 % in {self.needed:,})"),
            ("numbers that are not zero", f"1 of {self.words:,}", f"{100 * self.filled:.0f} %"),
            ("words for each corner, N/2^D", f"10^{self.density(self.words):,.0f}",
             f"10^{self.density(self.numbers):,.0f}"),
            ("corners with a word in them", f"{self.words:,} of 2^{self.words:,}",
             f"{used / 2**axes:.0%} of 2^{axes}, of the first {axes} axes (by chance {by_chance:.0%})"),
            ("length of a vector", "1", _range(self.lengths)),
            ("distance of two", f"{ONE_HOT:.3f}, always", _range(self.distances)),
            ("cosine of two", "0, always", spread),
        )  # fmt: skip

    @property
    def verdict(self) -> str:
        """What the projection makes of one-hot vectors."""
        low, high = np.quantile(self.distances, (0.05, 0.95))
        near, far = np.quantile(self.chance, (0.05, 0.95))
        said = (
            f"{self.words:,} one-hot vectors lie {ONE_HOT:.3f} apart, each from each; projected to {self.numbers:,} "
            f"numbers, of which {self.effective:.0f} count, they lie {low:.2f} to {high:.2f} apart (nine of ten pairs; "
            f"random vectors {near:.2f} to {far:.2f}), and more densely by {self.denser:,.0f} orders of magnitude."
        )
        if self.length_and_count is not None and self.groups:
            which = "longer" if self.length_and_count > 0 else "shorter"
            said += (
                f" Words that come more often have {which} vectors (Spearman's {self.length_and_count:+.2f}); the "
                f"nearest to a frequent word has a cosine of {self.groups[0].nearest:.2f}, to a rare one "
                f"{self.groups[-1].nearest:.2f}."
            )
        return said

    def plot(self, ax: "Axes") -> None:
        """How far pairs lie apart: of the projection, of random vectors, and of one-hot vectors."""
        last = float(max(self.distances.max(), self.chance.max(), ONE_HOT))
        bins = np.linspace(0, 1.02 * last, BINS).tolist()
        ax.hist(self.distances, bins, density=True, color="C0", alpha=0.75, label=f"projected to {self.numbers:,}")
        ax.hist(self.chance, bins, density=True, histtype="step", color="C1", linewidth=1.4, label="random vectors")
        ax.axvline(ONE_HOT, color="0.3", linestyle="--", linewidth=1.4, label=f"one-hot: all {ONE_HOT:.3f}")
        ax.set(xlabel="distance of two words (mean square length 1)", ylabel="share of pairs, per unit", xlim=(0, None))
        ax.legend(loc="upper left")

    def as_dict(self) -> dict[str, Any]:
        """The numbers, in JSON's types; distances, lengths and cosines by mean, deviation and quantiles."""
        axes, used = self.corners
        return {
            "verdict": self.verdict,
            "one_hot": {"dimensions": self.words, "filled": 1 / self.words, "distance": ONE_HOT, "cosine": 0.0,
                        "log10_words_a_corner": self.density(self.words)},
            "projected": {"dimensions": self.numbers, "filled": self.filled, "effective_dimensions": self.effective,
                          "dimensions_for_90_percent": self.needed, "length": _summary(self.lengths),
                          "distance": _summary(self.distances), "cosine": _summary(self.cosines),
                          "log10_words_a_corner": self.density(self.numbers),
                          "corners": {"axes": axes, "used": used}},
            "random": {"distance": _summary(self.chance)},
            "length_and_count": self.length_and_count,
            "groups": [asdict(group) for group in self.groups],
        }  # fmt: skip


def _range(values: NDArray[np.float64]) -> str:
    low, high = np.quantile(values, (0.05, 0.95))
    return f"{values.mean():.2f}; 90 % from {low:.2f} to {high:.2f}"


def _summary(values: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.quantile(values, (0.05, 0.95))
    found = {"mean": values.mean(), "deviation": values.std(), "5%": low, "95%": high}
    return {name: float(value) for name, value in found.items()}
