"""`Sweep`: the trials of a search, best first, and held-out divergence against each option."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from peephole.tasks.comparing.fields import spell
from peephole.tasks.comparing.record import number
from peephole.tasks.sweeping.choosing import How
from peephole.tasks.sweeping.space import Dimension, Range, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

State = Literal["complete", "stopped", "died", "refused"]
ORDER: tuple[State, ...] = ("complete", "stopped", "died", "refused")


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and what came of it. `number` counts from 1.

    `state`: complete, to the end of its budget; stopped, by halving; died, of numbers that are not finite; refused, the
    settings contradict each other. `held_out`, in the sweep's unit, and `right` are those of the weights that are kept,
    None where nothing was measured. `steps` were done of a budget of `total`, None where it never came to be known.
    `reason` says why a trial is not complete.
    """

    number: int
    values: dict[str, Any]
    state: State
    held_out: float | None
    right: float | None
    measurements: int
    steps: int
    total: int | None
    minutes: float
    reason: str | None
    folder: Path


@dataclass(frozen=True)
class Sweep:
    """What `sweep` found. `trials` are complete ones first, each kind from the lowest divergence on.

    `base` is the task that every trial changes; `asked` is how many trials there were to be.
    """

    base: Task
    unit: str
    space: tuple[Dimension, ...]
    how: How
    asked: int
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The complete trial with the lowest held-out divergence; None where none is complete."""
        return self.trials[0] if self.trials and self.trials[0].state == "complete" else None

    @property
    def exhausted(self) -> bool:
        """Whether every combination of settings has been tried."""
        return len(self.trials) >= math.prod(dimension.count for dimension in self.space)

    def number(self, value: float) -> str:
        """A divergence as it is written."""
        return number(value, self.unit)

    @property
    def verdict(self) -> str:
        """Which settings are best, by how much, and that one seed each cannot tell small differences from chance."""
        states = [trial.state for trial in self.trials]
        others = [f"{states.count(state)} {state}" for state in ORDER[1:] if state in states]
        of = f"{len(states)} trial{'s' * (len(states) != 1)}" + (f" ({', '.join(others)})" if others else "")
        best = self.best
        if best is None or best.held_out is None:
            return f"Of {of} none came to the end of its budget; nothing can be said."
        settings = ", ".join(f"{name} {spell(value)}" for name, value in best.values.items())
        said = f"Of {of} number {best.number} is best: {self.number(best.held_out)} {self.unit} with {settings}"
        beside = [trial for trial in self.trials[1:] if trial.state == "complete" and trial.held_out is not None]
        if not beside:
            return f"{said}; no other came to the end of its budget."
        gap = (beside[0].held_out or 0.0) - best.held_out
        return (
            f"{said}; the next, number {beside[0].number}, is {self.number(gap)} above it. Each was trained with one "
            "seed: whether such a gap is chance is for several seeds to say."
        )

    def plot(self, ax: "Axes", option: str | None = None) -> None:
        """Held-out divergence against one option, the first unless named: a point a trial, hollow where stopped."""
        dimension = next(each for each in self.space if option in (None, each.name))
        measured = [trial for trial in self.trials if trial.held_out is not None and trial.state in ORDER[:2]]
        values = [trial.values[dimension.name] for trial in measured]
        listed = not isinstance(dimension, Range)
        places = [float(dimension.values.index(value)) if listed else float(value) for value in values]
        heights = [trial.held_out or 0.0 for trial in measured]
        for state, face in (("complete", "C0"), ("stopped", "none")):
            those = [place for place, trial in enumerate(measured) if trial.state == state]
            if those:
                points = [places[place] for place in those], [heights[place] for place in those]
                ax.plot(*points, "o", markerfacecolor=face, markeredgecolor="C0", label=state)
        if self.best is not None:
            place = measured.index(self.best)
            ax.plot(places[place], heights[place], "*", color="C1", markersize=14, label="best")
        if listed:
            ax.set_xticks(range(len(dimension.values)), [spell(value) for value in dimension.values])
            ax.set_xlim(-0.5, len(dimension.values) - 0.5)
        elif isinstance(dimension, Range) and dimension.log:
            ax.set_xscale("log")
        if heights and min(heights) > 0 and max(heights) > 10 * min(heights):
            ax.set_yscale("log")
        ax.set(xlabel=dimension.name, ylabel=f"held-out divergence, {self.unit}")
        ax.spines[["top", "right"]].set_visible(False)

    def as_dict(self) -> dict[str, Any]:
        """Everything in JSON's types."""
        return {
            "verdict": self.verdict,
            "unit": self.unit,
            "over": [dimension.text for dimension in self.space],
            "how": self.how,
            "asked": self.asked,
            "trials": [{**dataclasses.asdict(trial), "folder": str(trial.folder)} for trial in self.trials],
        }


def told(place: int, asked: int, values: dict[str, Any]) -> str:
    """A trial in words, counted from 1, `3/20  hidden_size 64`."""
    return f"{place}/{asked}  {', '.join(f'{name} {spell(value)}' for name, value in values.items())}"


def in_order(trials: list[Trial]) -> tuple[Trial, ...]:
    """Complete trials first, then those that were stopped, died, were refused; each kind by its divergence."""

    def place(trial: Trial) -> tuple[int, float, int]:
        return ORDER.index(trial.state), math.inf if trial.held_out is None else trial.held_out, trial.number

    return tuple(sorted(trials, key=place))
