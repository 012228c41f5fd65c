"""`Intervals`: a score of several methods with where it may lie, so that what overlaps can be seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Interval = tuple[float, float, float]  # low, the score, high
NAME = 16  # letters of a name on a line


@dataclass(frozen=True)
class Intervals:
    """The score of a net and of others, each between the ends of its interval.

    Attributes:
        score: its name.
        net: of the net.
        others: of others, by name.
    """

    score: str
    net: Interval
    others: Mapping[str, Interval]

    @property
    def above(self) -> tuple[str, ...]:
        """The others whose interval lies below that of the net, wholly."""
        return tuple(name for name, other in self.others.items() if other[2] < self.net[0])

    @property
    def verdict(self) -> str:
        """The score with its interval, and which others it is above."""
        low, value, high = self.net
        text = f"{value:.4g}, with 95 % of resampled pictures from {low:.4g} to {high:.4g}"
        parts = [
            f"{'above' if name in self.above else 'not clearly above'} {name} ({other[0]:.4g} to {other[2]:.4g})"
            for name, other in self.others.items()
        ]
        return "; ".join([text, *parts]) + "."

    def plot(self, ax: "Axes") -> None:
        """A row a method, the net at the top."""
        rows = {"this net": self.net, **self.others}
        for row, (low, value, high) in enumerate(rows.values()):
            colour = "C0" if row == 0 else "C1"
            ax.plot([low, high], [row, row], color=colour, linewidth=2.5, solid_capstyle="butt")
            ax.plot([value], [row], "o", color=colour)
            ax.annotate(f"{value:.4g}", (value, row), (0, 7), textcoords="offset points", ha="center", fontsize=8)
        ax.set_yticks(range(len(rows)), [fill(name, NAME) for name in rows], fontsize=8)
        ax.set(xlabel=f"{self.score}, with where 95 % of resamples lie", ylim=(len(rows) - 0.5, -0.7))
        ax.set_xlim(left=min(0.0, *(low for low, _, _ in rows.values())))
