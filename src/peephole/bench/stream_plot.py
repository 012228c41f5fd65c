"""The figure of what was found of streams, a panel a part."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from peephole.bench.plot import COLOURS
from peephole.bench.results import OURS
from peephole.bench.stream_results import PAIRS, Stepped, StreamReport
from peephole.figures import check_installed, content, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "os^DvP*X"  # a size each


def picture(report: StreamReport, suffix: str = ".png") -> bytes:
    """The figure as a file's content. `InputError` without matplotlib."""
    check_installed()
    from matplotlib.figure import Figure

    count = max(1, sum(bool(report.part(part)) for part in PANELS))
    with styled():
        figure = Figure(figsize=(5.5 * count, 4.5), layout="constrained")
        report.plot(figure)
        return content(figure, suffix)


def draw(figure: "Figure", report: StreamReport) -> None:
    """A panel for each part that was measured, side by side."""
    panels = [(panel, report.part(part)) for part, panel in PANELS.items() if report.part(part)]
    axes = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
    for ax, (panel, group) in zip(axes, panels, strict=False):
        panel(ax, group)
        ax.spines[["top", "right"]].set_visible(False)


def _draw_ratios(ax: "Axes", group: Sequence[Stepped]) -> None:
    """A row for each pair, a mark for each size, at their time over ours."""
    pairs = [pair for pair in PAIRS if any(one.ratio(*pair) is not None for one in group)]
    for number, one in enumerate(group):
        found = [(ratio, row) for row, pair in enumerate(pairs) if (ratio := one.ratio(*pair)) is not None]
        marker = MARKERS[number % len(MARKERS)]
        if found:
            ax.plot(*zip(*found, strict=True), marker, markersize=5, alpha=0.7, label=str(one.case.size))
    ax.axvline(1.0, color="0.6", linewidth=1)
    ax.set(xscale="log", xlabel="a step of one stream: their time over ours")
    ax.set_yticks(range(len(pairs)), [f"{theirs} / {ours}" for theirs, ours in pairs])
    ax.invert_yaxis()
    if pairs:
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)


def _draw_rates(ax: "Axes", group: Sequence[Stepped]) -> None:
    """GFLOP/s over the number of streams, both logarithmic, a line for each contestant."""
    for name in dict.fromkeys(name for one in group for name in one.seconds):
        ones = [one for one in group if name in one.seconds]
        rates = [one.flops[name] / one.median(name) / 1e9 for one in ones]
        style = {"linestyle": "--" if name == "product" else "-", "marker": "o", "markersize": 3}
        ax.plot([one.case.streams for one in ones], rates, color=COLOURS[name], label=name, **style)  # pyright: ignore[reportArgumentType]
    ax.set(xlabel=f"streams of {group[0].case.size} float32", ylabel="GFLOP/s")
    ax.set_xscale("log", base=2)
    ax.set_xticks([one.case.streams for one in group], [str(one.case.streams) for one in group])
    ax.set_yscale("log")
    ax.legend(frameon=False)


def _draw_costs(ax: "Axes", group: Sequence[Stepped]) -> None:
    """A bar for each cell: time of an operation over that of the reference's."""
    costs = {name: cost for one in group for name in one.seconds if (cost := one.cost(name)) is not None}
    ax.bar(list(costs), list(costs.values()), color=COLOURS[OURS], width=0.6)
    ax.axhline(1.0, color="0.6", linewidth=1)
    ax.set(ylabel=f"time per FLOP, over that of {group[0].case.reference}")
    ax.set_xlabel(f"a step of one stream of {group[0].case.size} float32")
    ax.tick_params(axis="x", rotation=20)


PANELS: dict[str, Callable[["Axes", Sequence[Stepped]], None]] = {
    "step": _draw_ratios,
    "many": _draw_rates,
    "cells": _draw_costs,
}
