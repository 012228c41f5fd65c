"""`Breakdown`: two models on the same tokens, group by group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Group:
    """Tokens that have something in common: mean nats of the net and of the n-gram, and in which share of them the
    n-gram is less surprised than the net.
    """

    name: str
    tokens: int
    net: float
    ngram: float
    better: float

    @property
    def lead(self) -> float:
        """By how many nats a token the n-gram is better; below 0 where the net is."""
        return self.net - self.ngram


@dataclass(frozen=True)
class Breakdown:
    """The groups that tokens fall into by one property, those without a token left out.

    Attributes:
        title: what they are grouped by, `by times seen in training`.
        axis: what the names of groups count.
        unit: what tokens are called, in the plural.
        ngram: name of the n-gram model.
        groups: in the order of the property.
    """

    title: str
    axis: str
    unit: str
    ngram: str
    groups: tuple[Group, ...]

    @classmethod
    def of(
        cls,
        title: str,
        axis: str,
        unit: str,
        ngram: str,
        names: Sequence[str],
        numbers: NDArray[np.integer],
        net: NDArray[np.float64],
        other: NDArray[np.float64],
    ) -> "Breakdown":
        """Of tokens whose group is `numbers`, a place in `names`, and of what both models pay in nats, `[tokens]`."""
        size = len(names)
        counts = np.bincount(numbers, minlength=size)
        sums = [np.bincount(numbers, values, size) for values in (net, other, (other < net).astype(np.float64))]
        groups = [
            Group(name, int(count), *(float(total[place] / count) for total in sums))
            for place, (name, count) in enumerate(zip(names, counts, strict=True))
            if count
        ]
        return cls(title, axis, unit, ngram, tuple(groups))

    @property
    def verdict(self) -> str:
        """Where the n-gram wins, or comes nearest."""
        wins = [group for group in self.groups if group.lead > 0]
        if wins:
            tokens = sum(group.tokens for group in wins)
            share = tokens / sum(group.tokens for group in self.groups)
            lead = sum(group.lead * group.tokens for group in wins) / tokens
            named = "all of them" if len(wins) == len(self.groups) else ", ".join(group.name for group in wins)
            return f"the {self.ngram} wins at {named} ({share:.1%} of {self.unit}, by {lead:.2f} nats)."
        best = max(self.groups, key=lambda group: group.lead)
        return (
            f"the {self.ngram} wins nowhere on average; it comes nearest at {best.name}, {-best.lead:.2f} nats behind, "
            f"and is the better of the two on {best.better:.1%} of {self.unit} there."
        )

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The groups as text, under the header."""
        header = (self.axis, self.unit, "net, nats", f"{self.ngram}, nats", f"{self.ngram} better")
        return (
            header,
            *(
                (group.name, f"{group.tokens:,}", f"{group.net:.3f}", f"{group.ngram:.3f}", f"{group.better:.1%}")
                for group in self.groups
            ),
        )

    def plot(self, ax: "Axes") -> None:
        """Nats of both, group by group; above each pair the share of tokens on which the n-gram is better."""
        places = np.arange(len(self.groups))
        ax.bar(places - 0.2, [group.net for group in self.groups], 0.38, color="C0", label="net")
        ax.bar(places + 0.2, [group.ngram for group in self.groups], 0.38, color="C1", hatch="//", label=self.ngram)
        for place, group in zip(places.tolist(), self.groups, strict=True):
            height = max(group.net, group.ngram)
            ax.annotate(f"{group.better:.0%}", (place, height), (0, 2), textcoords="offset points", ha="center")
        ax.set_xticks(places, [group.name for group in self.groups], fontsize="small")
        ax.set(xlabel=self.axis, ylabel=f"nats a {self.unit.removesuffix('s')}")
        ax.margins(y=0.4)  # room for the legend above the bars
        ax.legend(
            loc="upper right", ncols=2, title=f"above: how often the {self.ngram} is better", title_fontsize="small"
        )
