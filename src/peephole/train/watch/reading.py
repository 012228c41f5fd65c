"""`read_watch`: a training as it was watched, from the rows of its history."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peephole.errors import InputError
from peephole.train.watch import plotting
from peephole.train.watch.row import WatchRow
from peephole.train.watch.turning import Turns

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Watched:
    """All looks of a training in order, and `turned`: the sentences that were said, with the step."""

    looks: tuple[WatchRow, ...]
    turned: tuple[tuple[int, str], ...]

    @property
    def steps(self) -> tuple[int, ...]:
        """After which it was looked."""
        return tuple(look.step for look in self.looks)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of layers and directions that were seen."""
        return tuple(dict.fromkeys(name for look in self.looks for name in (*look.flow, *look.units)))

    @property
    def verdict(self) -> str:
        """How far gradients reached when it began and when it ended, and whether anything turned."""
        first, last = self.looks[0], self.looks[-1]
        turned = f"{len(self.turned)} things turned" if len(self.turned) > 1 else "one thing turned"
        said = f"{turned}, the last at step {self.turned[-1][0]:,}" if self.turned else "nothing turned"
        if first.reach is None or last.reach is None:
            return f"Watched {len(self.looks)} times up to step {last.step:,}: {said}."
        reaches = [f"{'more than ' if each.reaches_beyond else ''}{each.reach}" for each in (first, last)]
        return (
            f"Gradients reached {reaches[0]} steps back after step {first.step:,} and {reaches[1]} after step "
            f"{last.step:,}; {said}."
        )

    def plot(self, ax: "Axes") -> None:
        """The horizon of each layer and state over training, hollow where it is longer than what was looked at."""
        plotting.horizons(ax, self.looks)

    def plot_saturation(self, ax: "Axes") -> None:
        """The shares of each gate's values under 0.1 (dashed) and above 0.9, mean over layers, over training."""
        plotting.saturations(ax, self.looks)

    def plot_flow(self, ax: "Axes", layer: str | None = None, state: str | None = None) -> None:
        """log₁₀ of the gradient flow relative to lag 0, lags up and steps of training across; by default of the last
        layer's last state. `InputError` for one that was not seen.
        """
        curves = {name: tuple(by) for look in self.looks for name, by in look.flow.items()}
        layer = next(reversed(curves), "") if layer is None else layer
        if layer not in curves:
            raise InputError(f"no flow of {layer!r} was seen; expected one of {', '.join(curves) or 'none'}")
        state = curves[layer][-1] if state is None else state
        if state not in curves[layer]:
            raise InputError(f"no flow of {state!r} in {layer} was seen; expected one of {', '.join(curves[layer])}")
        plotting.flow(ax, self.looks, layer, state)

    def plot_updates(self, ax: "Axes") -> None:
        """‖Δw‖ / ‖w‖ of each parameter over training, beside the usual 1e-3."""
        plotting.updates(ax, self.looks)

    def plot_ranges(self, ax: "Axes") -> None:
        """The largest |value| of each layer's states over training."""
        plotting.ranges(ax, self.looks)

    def plot_dead(self, ax: "Axes") -> None:
        """The share of dead units in each layer over training."""
        plotting.dead_units(ax, self.looks)


def read_watch(history: Iterable[Mapping[str, Any]]) -> Watched:
    """The looks in the rows of a history, as `Run.read_history` gives them. `InputError` where there is none."""
    rows = [row for row in history if isinstance(row.get("watch"), Mapping)]
    if not rows:
        raise InputError("nobody looked inside this training; train with --watch N to look every N steps")
    turns = Turns(max(float(row.get("learning_rate") or 0.0) for row in rows) or 1.0)
    turned = tuple((int(row["step"]), sentence) for row in rows for sentence in turns.hear(row))
    looks = tuple(look for row in rows if (look := WatchRow.read(row)) is not None)
    return Watched(looks, turned)
