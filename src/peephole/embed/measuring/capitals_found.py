"""`Capitals`: whether the offsets from countries to their capitals are alike, and what they look like in a plane."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from peephole.embed.measuring.labels import place_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Capitals:
    """Offsets capital − country.

    Attributes:
        pairs: countries and capitals that are there, the most frequent first.
        given: how many were asked for.
        cosine: the mean cosine of two offsets.
        shuffled: the same where the capitals were dealt out by lot, `[1000]`.
        points: of the pairs that are drawn, country and capital along two principal axes, `[drawn, 2, 2]`.
        shares: of the variance of the drawn words, along each of the two.
    """

    pairs: tuple[tuple[str, str], ...]
    given: int
    cosine: float
    shuffled: NDArray[np.float64]
    points: Float[np.ndarray, "drawn 2 2"]
    shares: tuple[float, float]

    @property
    def percentile(self) -> float:
        """Of how many of a hundred shuffled pairings the offsets are less alike."""
        return 100 * float((self.shuffled < self.cosine).mean())

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """What was measured."""
        return (
            ("pairs that are there", f"{len(self.pairs):,} of {self.given:,}"),
            ("mean cosine of two offsets", f"{self.cosine:.3f}"),
            ("of shuffled pairings", f"{self.shuffled.mean():.3f} ± {self.shuffled.std():.3f}"),
            ("the 99th percentile of these", f"{np.quantile(self.shuffled, 0.99):.3f}"),
            ("percentile", f"{self.percentile:.1f}"),
            ("variance in the picture", " + ".join(f"{share:.0%}" for share in self.shares)),
        )

    @property
    def verdict(self) -> str:
        """How alike the offsets are, and whether chance would make them so."""
        count = len(self.shuffled)
        beaten = f"{'all' if self.percentile == 100 else f'{int((self.shuffled < self.cosine).sum()):,}'} of {count:,}"
        said = "the same step leads" if self.percentile >= 99 else "no one step leads"
        return (
            f"From {len(self.pairs):,} countries to their capitals {said}: two offsets have a mean cosine of "
            f"{self.cosine:.3f}, with the capitals shuffled {self.shuffled.mean():.3f} ± {self.shuffled.std():.3f}; it "
            f"lies above {beaten} shuffled pairings."
        )

    def plot(self, ax: "Axes") -> None:
        """The drawn pairs in their principal plane, a line from each country to its capital."""
        for country, capital in self.points:
            ax.plot(*np.stack([country, capital]).T, color="0.55", linewidth=0.9, linestyle="--", zorder=1)
        for side, name, colour, mark in ((0, "country", "C0", "o"), (1, "capital", "C1", "s")):
            ax.scatter(*self.points[:, side].T, s=18, color=colour, marker=mark, label=name, zorder=2)
        first, second = self.shares
        ax.set(xlabel=f"first principal axis ({first:.0%} of the variance)", ylabel=f"second ({second:.0%})")
        ax.margins(0.12, 0.06)
        drawn = self.pairs[: len(self.points)]
        place_labels(
            ax,
            self.points.reshape(-1, 2),
            [word for pair in drawn for word in pair],
            [colour for _ in drawn for colour in ("C0", "C1")],
            self.points,
        )
        ax.legend(loc="best")

    def as_dict(self) -> dict[str, Any]:
        """The numbers, in JSON's types."""
        drawn = self.pairs[: len(self.points)]
        return {
            "verdict": self.verdict,
            "pairs": [list(pair) for pair in self.pairs],
            "given": self.given,
            "cosine": self.cosine,
            "shuffled": {"mean": float(self.shuffled.mean()), "deviation": float(self.shuffled.std()),
                         "99%": float(np.quantile(self.shuffled, 0.99)), "pairings": len(self.shuffled)},
            "percentile": self.percentile,
            "picture": {"variance": list(self.shares), "pairs": [list(pair) for pair in drawn],
                        "points": self.points.round(6).tolist()},
        }  # fmt: skip
