"""Pictures of forecasts: one with its intervals, the errors by how far ahead, the coverage of the quantiles."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from peephole.tasks.forecasting.measuring import intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 3  # horizons of history that are drawn


@dataclass(frozen=True, eq=False)
class Fan:
    """One forecast beside what came.

    Attributes:
        series: its name.
        history: what it was made from, `[context]`.
        truth: what came, `[H]`.
        quantiles: `[H, Q]`.
        shares: the quantiles, of which `middle` is the forecast itself.
    """

    series: str
    history: NDArray[np.float64]
    truth: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    shares: tuple[float, ...]
    middle: int

    @property
    def verdict(self) -> str:
        """How far off it is, and how much lies within the widest interval."""
        error = float(np.sqrt(np.square(self.quantiles[:, self.middle] - self.truth).mean()))
        said = (
            f"the last forecast of {self.series} is off by {error:.4g} (root mean square over {len(self.truth)} steps)"
        )
        found = intervals(self.shares)
        if not found:
            return f"{said}."
        share, (low, high) = list(found.items())[-1]
        within = ((self.truth >= self.quantiles[:, low]) & (self.truth <= self.quantiles[:, high])).sum()
        return f"{said}; {within} of {len(self.truth)} values lie in its {100 * share:.6g} % interval."

    def plot(self, ax: "Axes") -> None:
        """History, truth and forecast over steps from the forecast's origin; the intervals as bands."""
        horizon = len(self.truth)
        history = self.history[-SHOWN * horizon :]
        ahead = np.arange(1, horizon + 1)
        ax.plot(np.arange(1 - len(history), 1), history, color="0.35", linewidth=1, label="history")
        for share, (low, high) in reversed(intervals(self.shares).items()):
            ax.fill_between(ahead, self.quantiles[:, low], self.quantiles[:, high], color="C0", alpha=0.2, linewidth=0,
                            label=f"{100 * share:.6g} % interval")  # fmt: skip
        ax.plot(ahead, self.quantiles[:, self.middle], color="C0", label="forecast")
        ax.plot(ahead, self.truth, color="C1", linewidth=1, label="what came")
        ax.axvline(0.5, color="0.6", linewidth=0.8, linestyle=":")
        ax.set(xlabel="steps from the last that was known", ylabel=self.series)
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3)  # above: a forecast leaves no corner free


@dataclass(frozen=True, eq=False)
class ErrorAhead:
    """Root mean squared errors at each step ahead, `[H]`, in deviations of the training part, of the net and others."""

    errors: dict[str, NDArray[np.float64]]

    @property
    def verdict(self) -> str:
        """The error at the first and the last step, and from where on the best naive method is no worse."""
        mine, *others = self.errors.values()
        said = f"{mine[0]:.3g} deviations one step ahead, {mine[-1]:.3g} at {len(mine)}"
        if not others:
            return f"{said}."
        best = np.min(others, axis=0)
        worse = int((mine >= best).sum())
        if not worse:
            return f"{said}; below every naive method at every step."
        return f"{said}; at {worse} of {len(mine)} steps a naive method is no worse."

    def plot(self, ax: "Axes") -> None:
        """A line a method over the steps ahead."""
        for place, (name, errors) in enumerate(self.errors.items()):
            mark = "o" if len(errors) == 1 else ""
            ax.plot(
                np.arange(1, len(errors) + 1), errors, marker=mark, linestyle="-" if place == 0 else "--", label=name
            )
        ax.set(xlabel="steps ahead", ylabel="root mean squared error / deviation")
        ax.set_ylim(bottom=0)
        ax.legend()


@dataclass(frozen=True, eq=False)
class Coverage:
    """Share of values below each quantile at each step ahead, `[H, Q]`, beside what it should be."""

    shares: tuple[float, ...]
    below: NDArray[np.float64]

    @property
    def within(self) -> dict[float, NDArray[np.float64]]:
        """Share of the values within each interval, by what it should be, at each step ahead."""
        return {
            share: self.below[:, high] - self.below[:, low] for share, (low, high) in intervals(self.shares).items()
        }

    @property
    def verdict(self) -> str:
        """What lies in each interval, and the step ahead at which one is furthest from what it should be."""
        if not self.within:
            furthest = float(np.abs(self.below.mean(0) - self.shares).max())
            return f"the share below a quantile is off by {100 * furthest:.1f} points at most."
        said = [f"{100 * share:.6g} % interval {found.mean():.1%}" for share, found in self.within.items()]
        off = {share: np.abs(found - share) for share, found in self.within.items()}
        share = max(off, key=lambda share: off[share].max())
        step = int(off[share].argmax())
        return (
            f"{', '.join(said)}; furthest off {step + 1} steps ahead, {self.within[share][step]:.1%} in that of "
            f"{100 * share:.6g} %."
        )

    def plot(self, ax: "Axes") -> None:
        """Share below over the quantile, a thin line a step ahead, marks for all; on the dotted line both agree."""
        ax.plot([0, 1], [0, 1], ":", color="0.5", label="as it should be")
        every = max(1, len(self.below) // 12)
        for place, row in enumerate(self.below[::every]):
            ax.plot(self.shares, row, "-", color="C0", alpha=0.25, linewidth=0.8,
                    label="at single steps ahead" if place == 0 else None)  # fmt: skip
        ax.plot(self.shares, self.below.mean(0), "o", color="C1", label="all steps")
        ax.set(xlabel="quantile", ylabel="share of values below it", xlim=(0, 1), ylim=(0, 1))
        ax.legend(loc="upper left")
