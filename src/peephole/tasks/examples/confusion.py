"""`Confusion`: which label is answered in place of which."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = 30  # labels that can be told apart on one figure
WRITTEN = 12  # labels whose cells have room for numbers
FAINT = 0.4  # power of a share that is its colour: of a good net all mistakes are rare


@dataclass(frozen=True, eq=False)
class Confusion:
    """How often each label was answered where each was right.

    Attributes:
        labels: their names.
        counts: `[right, answered]`.
    """

    labels: tuple[str, ...]
    counts: Int64[np.ndarray, "right answered"]

    @classmethod
    def of(cls, labels: Sequence[str], right: NDArray[np.integer], answers: NDArray[np.integer]) -> "Confusion":
        """Count numbers of labels, `[answers]` each."""
        size = len(labels)
        pairs = np.bincount(right.astype(np.int64) * size + answers, minlength=size * size)
        return cls(tuple(labels), pairs.reshape(size, size).astype(np.int64))

    @property
    def accuracy(self) -> float:
        """Share of answers that are right; NaN without any."""
        total = int(self.counts.sum())
        return int(np.trace(self.counts)) / total if total else float("nan")

    def confused(self, most: int = 3) -> list[tuple[str, str, int]]:
        """The most frequent mistakes: what was right, what was answered, how often."""
        wrong = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = [(int(place) // len(self.labels), int(place) % len(self.labels)) for place in order]
        return [(self.labels[i], self.labels[j], int(wrong[i, j])) for i, j in pairs if wrong[i, j]]

    @property
    def verdict(self) -> str:
        """How many are wrong, and the most frequent mistakes."""
        total = int(self.counts.sum())
        wrong = total - int(np.trace(self.counts))
        if not wrong:
            return f"all {total:,} answers are right."
        mistakes = ", ".join(f"{right} as {answered} {count:,}" for right, answered, count in self.confused())
        return f"{wrong:,} of {total:,} answers are wrong, most often {mistakes}."

    def most_confused(self, most: int) -> "Confusion":
        """The same of the labels in most mistakes alone, in their order."""
        if len(self.labels) <= most:
            return self
        wrong = self.counts - np.diag(np.diag(self.counts))
        kept = np.sort(np.argsort(-(wrong.sum(0) + wrong.sum(1)), kind="stable")[:most])
        return Confusion(tuple(self.labels[place] for place in kept), self.counts[np.ix_(kept, kept)])

    def plot(self, ax: "Axes") -> None:
        """The share of each right label (rows) that was answered as each (columns); small shares can be seen too."""
        from matplotlib.colors import PowerNorm

        shown = self.most_confused(DRAWN)
        rows = shown.counts.sum(1, keepdims=True)
        shares = np.divide(shown.counts, rows, out=np.zeros(shown.counts.shape), where=rows > 0)
        scale = PowerNorm(FAINT, 0.0, 1.0)
        image = ax.imshow(shares, norm=scale)
        size = len(shown.labels)
        small = 8 if size <= WRITTEN else 6
        ax.set_xticks(range(size), shown.labels, rotation=90, fontsize=small)
        ax.set_yticks(range(size), shown.labels, fontsize=small)
        if size <= WRITTEN:
            for (row, column), share in np.ndenumerate(shares):
                if shown.counts[row, column]:
                    ax.text(column, row, f"{shown.counts[row, column]:,}", ha="center", va="center", fontsize=7,
                            color="black" if scale(share) > 0.5 else "white")  # fmt: skip
        left_out = len(self.labels) - size
        title = "answered in place of what is right" + (
            f" ({left_out} labels hardly confused left out)" * bool(left_out)
        )
        ax.set(xlabel="answered", ylabel="right", title=title)
        figure = ax.get_figure()
        if figure is not None:
            figure.colorbar(image, ax=ax, label="share of the row")
