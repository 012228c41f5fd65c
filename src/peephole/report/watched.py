"""What was measured while training went on: results over the rows of a history that carry a watch."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOMENTS = 5  # of training whose flow is drawn
FRACTION = 0.01
MOST_LINES = 6

Watch = tuple[int, dict[str, Any]]  # the step, and what was seen


def watches_of(history: list[dict[str, Any]]) -> list[Watch]:
    """The rows that carry one."""
    return [(row["step"], row["watch"]) for row in history if isinstance(row.get("watch"), dict)]


def number(value: Any) -> float:
    """A number as it stands in a history; NaN for null, which is what was not finite."""
    return float(value) if isinstance(value, int | float) else math.nan


def numbers(values: Any) -> list[float]:
    """A list of numbers; empty for anything else."""
    return [number(value) for value in values] if isinstance(values, list) else []


def look_up(watch: dict[str, Any], *names: str) -> Any:
    """What stands under these names; None where there is nothing."""
    found: Any = watch
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def mapping(watch: dict[str, Any], *names: str) -> dict[str, Any]:
    """What stands under these names; empty where that is no mapping."""
    found = look_up(watch, *names)
    return found if isinstance(found, dict) else {}


def names_under(watches: list[Watch], *path: str) -> list[str]:
    """The names under a path, in the order in which they first come."""
    return list(dict.fromkeys(name for _, watch in watches for name in mapping(watch, *path)))


@dataclass(frozen=True, eq=False)
class WatchedFlow:
    """The gradient by lag at some moments of training, relative to lag 0: `curves[n]`, `[lags]`, at `steps[n]`."""

    name: str
    state: str
    steps: tuple[int, ...]
    curves: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, watches: list[Watch], name: str, state: str) -> "WatchedFlow | None":
        """That of one state of one layer; None where no watch has it."""
        found: list[tuple[int, NDArray[np.float64]]] = []
        for step, watch in watches:
            curve = np.array(numbers(look_up(watch, "flow", name, state)))
            if len(curve) > 1 and curve[0] > 0:
                found.append((step, curve / curve[0]))
        if not found:
            return None
        places = np.unique(np.linspace(0, len(found) - 1, min(len(found), MOMENTS)).round().astype(int))
        return cls(name, state, tuple(found[i][0] for i in places), tuple(found[i][1] for i in places))

    @property
    def verdict(self) -> str:
        """What arrives at the longest lag, at first and at last."""
        first, last = (float(curve[-1]) for curve in (self.curves[0], self.curves[-1]))
        lag = len(self.curves[-1]) - 1
        return (
            f"At step {self.steps[0]:,} of training {first:.2g} of the gradient of {self.state} in {self.name} arrived "
            f"{lag} steps back, at step {self.steps[-1]:,} {last:.2g}."
        )

    def plot(self, ax: "Axes") -> None:
        """A line a moment, later ones stronger."""
        for place, (step, curve) in enumerate(zip(self.steps, self.curves, strict=True)):
            share = (place + 1) / len(self.steps)
            shown = np.where(curve > 0, curve, np.nan)
            style = "-" if place == len(self.steps) - 1 else ("--", ":", "-.", (0, (3, 1, 1, 1)))[place % 4]
            ax.plot(shown, linestyle=style, color="C0", alpha=0.35 + 0.65 * share, linewidth=0.8 + 1.2 * share,
                    label=f"step {step:,}")  # fmt: skip
        ax.axhline(FRACTION, color="0.6", linewidth=1)
        ax.set(xlabel="lag in steps", ylabel=f"mean ‖∂Div(t)/∂{self.state}(t − lag)‖, relative", yscale="log")
        ax.legend()


@dataclass(frozen=True, eq=False)
class WatchedGates:
    """Shares of the gates of one layer that are under 0.1 (`left`) and over 0.9 (`right`), over training."""

    name: str
    steps: tuple[int, ...]
    left: dict[str, NDArray[np.float64]]
    right: dict[str, NDArray[np.float64]]

    @classmethod
    def of(cls, watches: list[Watch], name: str) -> "WatchedGates | None":
        """None where no watch has gates of this layer."""
        gates = names_under(watches, "saturation", name)
        seen = [(step, watch) for step, watch in watches if mapping(watch, "saturation", name)]
        if not gates or not seen:
            return None

        def side(gate: str, place: int) -> NDArray[np.float64]:
            pairs = [look_up(watch, "saturation", name, gate) for _, watch in seen]
            return np.array([number(pair[place]) if isinstance(pair, list) and len(pair) == 2 else math.nan
                             for pair in pairs])  # fmt: skip

        return cls(
            name,
            tuple(step for step, _ in seen),
            {gate: side(gate, 0) for gate in gates},
            {gate: side(gate, 1) for gate in gates},
        )

    @property
    def verdict(self) -> str:
        """The shares at the end."""
        shares = [f"{gate} {self.left[gate][-1]:.0%} and {self.right[gate][-1]:.0%}" for gate in self.left]
        return f"At the end of training {self.name} is nearly shut and nearly open in: {', '.join(shares)}."

    def plot(self, ax: "Axes") -> None:
        """A colour a gate; dashed under 0.1, solid over 0.9."""
        for place, gate in enumerate(self.left):
            ax.plot(self.steps, self.right[gate], "-", color=f"C{place}", label=f"{gate} > 0.9")
            ax.plot(self.steps, self.left[gate], "--", color=f"C{place}", label=f"{gate} < 0.1")
        ax.set(xlabel="step of training", ylabel="share of units and steps", ylim=(-0.02, 1.02))
        ax.legend(ncols=2)


@dataclass(frozen=True, eq=False)
class WatchedSeries:
    """Numbers over training by name, such as each parameter's ‖Δw‖ / ‖w‖. `told` is what they are, in words, `label`
    the same beside an axis.
    """

    told: str
    label: str
    steps: tuple[int, ...]
    lines: dict[str, NDArray[np.float64]]

    @classmethod
    def of(cls, watches: list[Watch], key: str, told: str, label: str) -> "WatchedSeries | None":
        """None where no watch has it."""
        names = names_under(watches, key)
        seen = [(step, watch) for step, watch in watches if isinstance(watch.get(key), dict)]
        if not names or not seen:
            return None
        lines = {name: np.array([number(watch[key].get(name)) for _, watch in seen]) for name in names}
        return cls(told, label, tuple(step for step, _ in seen), lines)

    @property
    def verdict(self) -> str:
        """The least and the largest at the end."""
        last = {name: float(line[-1]) for name, line in self.lines.items() if math.isfinite(line[-1])}
        if not last:
            return f"The {self.told} had no finite value at the end of training."
        if len(last) == 1:
            name, value = next(iter(last.items()))
            return f"The {self.told} is {value:.2g} at the end of training ({name})."
        low, high = min(last, key=lambda name: last[name]), max(last, key=lambda name: last[name])
        ends = f"{last[low]:.2g} ({low}) and {last[high]:.2g} ({high})"
        return f"The {self.told} lies between {ends} at the end of training."

    def plot(self, ax: "Axes") -> None:
        """A line a name while they are few; else the middle, and the band of them all."""
        if len(self.lines) <= MOST_LINES:
            for place, (name, line) in enumerate(self.lines.items()):
                ax.plot(self.steps, line, "-", color=f"C{place}", label=name)
        else:
            every = np.stack(list(self.lines.values()))
            every = every[:, np.isfinite(every).any(0)]
            steps = np.array(self.steps)[np.isfinite(np.stack(list(self.lines.values()))).any(0)]
            ax.fill_between(steps, np.nanmin(every, 0), np.nanmax(every, 0), color="C0", alpha=0.2, linewidth=0,
                            label=f"all {len(self.lines)}")  # fmt: skip
            ax.plot(steps, np.nanmedian(every, 0), "-", color="C0", label="the middle one")
        positive = all(bool((line[np.isfinite(line)] > 0).all()) for line in self.lines.values())
        ax.set(xlabel="step of training", ylabel=self.label, yscale="log" if positive else "linear")
        ax.legend()
