"""`Reliability`: whether a net is right as often as it says that it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 10  # of equal width from 0 to 1


@dataclass(frozen=True, eq=False)
class Reliability:
    """Answers in bins of how sure the net was of them (a reliability diagram; Guo et al. 2017, section 2).

    Attributes:
        said: mean confidence of the answers in each bin, empty bins left out.
        right: share of them that are right.
        counts: how many there are.
    """

    said: tuple[float, ...]
    right: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(
        cls, confidences: NDArray[np.floating] | Sequence[float], right: NDArray[np.bool_] | Sequence[bool]
    ) -> "Reliability":
        """Of confidences from 0 to 1 and whether each answer is right, `[answers]` both.

        Raises:
            InputError: scikit-learn is missing.
        """
        try:
            from sklearn.calibration import calibration_curve
        except ImportError:
            raise InputError(
                "metrics need scikit-learn, which is not installed; pip install 'peephole[metrics]'"
            ) from None
        # float32 may say a hair more than 1
        sure, truth = np.clip(np.asarray(confidences, np.float64), 0, 1), np.asarray(right, bool)
        if not len(sure):
            return cls((), (), ())
        # Of one kind of answer alone the library cannot tell which is the right one, unless numbers say so.
        shares, means = calibration_curve(truth.astype(int), sure, n_bins=BINS, pos_label=1)
        edges = np.linspace(0, 1, BINS + 1)
        counts = np.bincount(np.searchsorted(edges[1:-1], sure), minlength=BINS)
        return cls(tuple(means.tolist()), tuple(shares.tolist()), tuple(counts[counts > 0].tolist()))

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of confidence and share right over answers; NaN of none."""
        return self._mean(np.abs(np.subtract(self.said, self.right)))

    @property
    def verdict(self) -> str:
        """How sure it is beside how often it is right."""
        if not self.counts:
            return "no answer to judge."
        said, right = self._mean(self.said), self._mean(self.right)
        points = 100 * (said - right)
        kind = "as sure as it should be" if abs(points) < 1 else f"{abs(points):.1f} points too "
        kind += "" if abs(points) < 1 else ("sure" if points > 0 else "careful")
        return (
            f"says {said:.1%} on average and is right in {right:.1%}: {kind}; expected calibration error "
            f"{100 * self.error:.1f} points."
        )

    def plot(self, ax: "Axes") -> None:
        """Share right over confidence, the area of a point its share of the answers; on the line both agree."""
        total = max(1, sum(self.counts))
        areas = [12 + 300 * count / total for count in self.counts]
        ax.plot([0, 1], [0, 1], ":", color="0.5", label="as sure as right")
        ax.plot(self.said, self.right, "-", color="C0", linewidth=1)
        ax.scatter(self.said, self.right, s=areas, color="C0", label="answers", zorder=3)
        ax.set(xlabel="confidence", ylabel="share right", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
        ax.legend(loc="best")

    def _mean(self, values: Sequence[float] | NDArray[np.floating]) -> float:
        """The mean over answers of a number a bin."""
        return float(np.average(values, weights=self.counts)) if self.counts else float("nan")
