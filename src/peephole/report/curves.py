"""How training went: divergences over steps beside what they have to beat, gradients, and right answers."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 250  # along a curve; what lies between two of them is averaged
WIDE = 30.0  # times the smallest value, from which on a curve is drawn on a logarithmic scale


@dataclass(frozen=True, eq=False)
class Curve:
    """Values over steps, both `[N]`."""

    steps: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, history: list[dict[str, Any]], name: str, scale: float = 1.0) -> "Curve":
        """The rows of a history that have this number."""
        rows = [(row["step"], row[name]) for row in history if isinstance(row.get(name), int | float)]
        pairs = np.array([pair for pair in rows if math.isfinite(pair[1])], dtype=np.float64).reshape(-1, 2)
        return cls(pairs[:, 0], pairs[:, 1] * scale)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def thinned(self) -> "Curve":
        """At most `POINTS` points, each the mean of its part."""
        edges = np.unique(np.linspace(0, len(self), min(len(self), POINTS) + 1).astype(int))
        parts = [slice(first, end) for first, end in pairwise(edges)]
        steps = np.array([self.steps[part].mean() for part in parts])
        return Curve(steps, np.array([self.values[part].mean() for part in parts]))


@dataclass(frozen=True, eq=False)
class Learning:
    """Divergence over steps, of training and of held-out data. `beside` are other curves of held-out data by name;
    `marks` are levels by name that the divergence is compared with.
    """

    unit: str
    training: Curve
    held_out: Curve
    beside: dict[str, Curve]
    marks: dict[str, float]

    @property
    def verdict(self) -> str:
        """From where to where, when it was best, and what it beats."""
        if not len(self.held_out):
            first, last = self.training.values[0], self.training.thinned.values[-1]
            went = f"in training the divergence went from {first:.4g} to {last:.4g} {self.unit}"
            return f"Not measured on held-out data; {went}."
        best = int(self.held_out.values.argmin())
        value, step = self.held_out.values[best], int(self.held_out.steps[best])
        said = (
            f"Best on held-out data after {step:,} of {int(self.training.steps[-1]):,} steps: {value:.4g} {self.unit}"
        )
        if len(self.held_out) - 1 - best >= 3:
            said += f", and {self.held_out.values[-1]:.4g} at the end"
        beaten = [name for name, level in self.marks.items() if value < level]
        left = [name for name, level in self.marks.items() if value >= level]
        said += f"; better than {_listed(beaten)}" if beaten else ""
        said += f"; not better than {_listed(left)}" if left else ""
        return said + "."

    def plot(self, ax: "Axes") -> None:
        """Training as a line, held-out data as points, levels as dashed lines that say what they are."""
        thin = self.training.thinned
        ax.plot(thin.steps, thin.values, "-", color="C0", linewidth=1.0, alpha=0.7, label="training")
        if len(self.held_out):
            ax.plot(self.held_out.steps, self.held_out.values, "o-", color="C1", markersize=4, label="held out")
        for place, (name, curve) in enumerate(self.beside.items()):
            ax.plot(curve.steps, curve.values, "s--", color=f"C{2 + place}", markersize=4, label=name)
        curves = (self.training, self.held_out, *self.beside.values())
        values = np.concatenate([curve.values for curve in curves])
        positive = values[values > 0]
        logarithmic = len(positive) == len(values) and positive.max() > WIDE * positive.min()
        for (name, level), style in zip(self.marks.items(), ("--", "-.", ":", (0, (5, 1)), (0, (1, 3))), strict=False):
            ax.axhline(level, color="0.4", linestyle=style, linewidth=1, label=f"{name} {level:.3g}")
        ax.set(xlabel="step", ylabel=self.unit, yscale="log" if logarithmic else "linear")
        if not logarithmic:
            ax.set_ylim(bottom=0)
        ax.legend(ncols=2)


@dataclass(frozen=True, eq=False)
class GradientNorm:
    """The norm of the gradient over steps, and the length that longer ones were cut to, if there was one."""

    norms: Curve
    clip: float | None

    @property
    def verdict(self) -> str:
        """The usual norm, the largest, and how often it was clipped."""
        values = self.norms.values
        place = int(values.argmax())
        said = (
            f"The gradient's norm is usually {np.median(values):.3g}; the largest, {values[place]:.3g}, came at step "
        )
        said += f"{int(self.norms.steps[place]):,}"
        if self.clip is None:
            return said + ". It was never clipped."
        return said + f". {(values > self.clip).mean():.1%} of the recorded steps were clipped to {self.clip:g}."

    def plot(self, ax: "Axes") -> None:
        """The mean over each stretch of steps, and the largest within it."""
        edges = np.unique(np.linspace(0, len(self.norms), min(len(self.norms), POINTS) + 1).astype(int))
        parts = [slice(first, end) for first, end in pairwise(edges)]
        steps = [self.norms.steps[part].mean() for part in parts]
        largest = [self.norms.values[part].max() for part in parts]
        thin = self.norms.thinned
        ax.plot(steps, largest, ":", color="C1", linewidth=0.8, label="largest")
        ax.plot(thin.steps, thin.values, "-", color="C0", linewidth=1.2, label="mean")
        if self.clip is not None:
            ax.axhline(self.clip, color="0.4", linestyle="--", linewidth=1, label=f"clipped to {self.clip:g}")
        positive = bool((self.norms.values > 0).all())
        ax.set(xlabel="step", ylabel="norm of the gradient", yscale="log" if positive else "linear")
        ax.legend()


@dataclass(frozen=True, eq=False)
class RightAnswers:
    """The share of right answers on held-out examples over steps; `beside` that of other nets by name."""

    right: Curve
    beside: dict[str, Curve]

    @property
    def verdict(self) -> str:
        """The share at the end, and when it came that far."""
        last = self.right.values[-1]
        reached = int(self.right.steps[int((self.right.values >= last).argmax())])
        said = f"{last:.2%} of the answers are right at the end, a share first reached at step {reached:,}"
        for name, curve in self.beside.items():
            if len(curve):
                said += f"; of the {name} {curve.values[-1]:.2%}"
        return said + "."

    def plot(self, ax: "Axes") -> None:
        """The shares."""
        ax.plot(self.right.steps, self.right.values, "o-", color="C1", markersize=4, label="this net")
        for place, (name, curve) in enumerate(self.beside.items()):
            ax.plot(curve.steps, curve.values, "s--", color=f"C{2 + place}", markersize=4, label=name)
        ax.set(xlabel="step", ylabel="share of answers that are right", ylim=(-0.03, 1.05))
        ax.legend()


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
