"""Curves of groups on one axis: means over seeds, and their range."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from peephole.tasks.comparing.groups import Group
from peephole.tasks.comparing.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Over = Literal["steps", "minutes"]

LINES, MARKERS = ("-", "--", "-.", ":"), "os^vDP*X"  # told apart without colour too
DECADE = 10.0  # between largest and smallest divergence, from which on the axis is logarithmic


def plot_curves(ax: "Axes", groups: Sequence[Group], unit: str, over: Over) -> None:
    """Each group's mean, and the band between the lowest and the highest of its seeds, where all were measured."""
    values = [point.held_out for group in groups for record in group.records for point in record.curve]
    for place, group in enumerate(groups):
        curves = [_curve(record, over) for record in group.records]
        across = _shared(curves)
        heights = np.array([np.interp(across, *curve) for curve in curves])  # [seeds, points]
        line_style, marker = LINES[place % len(LINES)], MARKERS[place % len(MARKERS)]
        count = f", {len(curves)} seeds" if len(curves) > 1 else ""
        running = ", not at its end" * (not all(record.finished for record in group.records))
        label = f"{group.name}{count}{running}"
        (line,) = ax.plot(across, heights.mean(0), line_style, marker=marker, markersize=4, label=label)
        if len(curves) > 1:
            ax.fill_between(across, heights.min(0), heights.max(0), color=line.get_color(), alpha=0.18, linewidth=0)
    if min(values) > 0 and max(values) > DECADE * min(values):
        ax.set_yscale("log")
    ax.set(xlabel=over, ylabel=f"held-out divergence, {unit}")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")


def _curve(record: Record, over: Over) -> tuple[list[float], list[float]]:
    across = [float(point.step) if over == "steps" else point.minutes for point in record.curve]
    return across, [point.held_out for point in record.curve]


def _shared(curves: Sequence[tuple[list[float], list[float]]]) -> np.ndarray:
    """Where to take the mean: wherever a curve was measured, once all have begun and until the first one ends."""
    begin, end = max(across[0] for across, _ in curves), min(across[-1] for across, _ in curves)
    places = sorted({place for across, _ in curves for place in across if begin <= place <= end})
    return np.array(places or [end])
