"""Drawings of what was watched, over the steps of training."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from peephole.train.watch.row import WatchRow
from peephole.train.watch.turning import USUAL_UPDATE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = {"h": "-", "c": "--"}


def horizons(ax: "Axes", looks: Sequence[WatchRow]) -> None:
    names = dict.fromkeys((layer, state) for look in looks for layer, by in look.horizon.items() for state in by)
    colours = _colours(layer for layer, _ in names)
    for layer, state in names:
        there = [look for look in looks if state in look.horizon.get(layer, {})]
        lags = [look.horizon[layer][state] for look in there]
        shown = [look.longest if lag is None else lag for look, lag in zip(there, lags, strict=True)]
        steps = [look.step for look in there]
        ax.plot(steps, shown, STYLES.get(state, "-"), color=colours[layer], label=f"{layer} {state}")
        beyond = [(step, value) for step, value, lag in zip(steps, shown, lags, strict=True) if lag is None]
        if beyond:
            ax.plot(*zip(*beyond, strict=True), "o", color=colours[layer], markerfacecolor="none")
    ax.set_ylim(bottom=0)
    _finish(ax, "horizon in steps")


def saturations(ax: "Axes", looks: Sequence[WatchRow]) -> None:
    seen = [(look.step, look.saturated()) for look in looks]
    gates = dict.fromkeys(gate for _, by in seen for gate in by)
    for gate, colour in _colours(gates).items():
        steps = [step for step, by in seen if gate in by]
        for place, (style, where) in enumerate((("--", "under 0.1"), ("-", "above 0.9"))):
            shares = [by[gate][place] for _, by in seen if gate in by]
            ax.plot(steps, shares, style, color=colour, label=f"{gate} {where}")
    ax.set_ylim(0, 1)
    _finish(ax, "share of a gate's values")


def flow(ax: "Axes", looks: Sequence[WatchRow], layer: str, state: str) -> None:
    there = [look for look in looks if look.flow.get(layer, {}).get(state)]
    longest = max(len(look.flow[layer][state]) for look in there)
    image = [[math.nan] * len(there) for _ in range(longest)]
    for place, look in enumerate(there):
        curve = look.flow[layer][state]
        for lag, value in enumerate(curve):
            if value > 0 and curve[0] > 0:
                image[lag][place] = math.log10(value / curve[0])
    steps = [look.step for look in there]
    edges = [0.0, *((one + other) / 2 for one, other in pairwise(steps)), float(steps[-1])]
    drawn = ax.pcolormesh(edges, [lag - 0.5 for lag in range(longest + 1)], image, cmap="cividis", vmin=-4, vmax=0)
    drawn.set_rasterized(True)
    ax.set(xlabel="step of training", ylabel="lag t − k in steps", title=f"{layer}, {state}")
    ax.figure.colorbar(drawn, ax=ax, label="log₁₀ of the flow, relative to lag 0")


def updates(ax: "Axes", looks: Sequence[WatchRow]) -> None:
    for name, colour in _colours(name for look in looks for name in look.update_ratio).items():
        there = [look for look in looks if look.update_ratio.get(name, 0.0) > 0]
        steps, ratios = [look.step for look in there], [look.update_ratio[name] for look in there]
        ax.plot(steps, ratios, "--" if "bias" in name else "-", color=colour, label=name)
    ax.axhline(USUAL_UPDATE, color="0.6", linewidth=1)
    ax.set_yscale("log")
    _finish(ax, "‖Δw‖ / ‖w‖ of a step")


def ranges(ax: "Axes", looks: Sequence[WatchRow]) -> None:
    names = dict.fromkeys((layer, state) for look in looks for layer, by in look.range.items() for state in by)
    colours = _colours(layer for layer, _ in names)
    for layer, state in names:
        there = [look for look in looks if state in look.range.get(layer, {})]
        largest = [max(map(abs, look.range[layer][state])) for look in there]
        style = STYLES.get(state, "-")
        ax.plot([look.step for look in there], largest, style, color=colours[layer], label=f"{layer} {state}")
    ax.set_yscale("log")
    _finish(ax, "largest |state|")


def dead_units(ax: "Axes", looks: Sequence[WatchRow]) -> None:
    for layer, colour in _colours(layer for look in looks for layer in look.units).items():
        there = [look for look in looks if layer in look.units]
        shares = [look.dead.get(layer, 0) / look.units[layer] for look in there]
        ax.plot([look.step for look in there], shares, color=colour, label=layer)
    ax.set_ylim(0, 1)
    _finish(ax, "share of dead units")


def _colours(names: Iterable[str]) -> dict[str, str]:
    return {name: f"C{place % 10}" for place, name in enumerate(dict.fromkeys(names))}


def _finish(ax: "Axes", label: str) -> None:
    ax.set(xlabel="step of training", ylabel=label)
    ax.spines[["top", "right"]].set_visible(False)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize="small")
