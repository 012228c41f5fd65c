"""Figures of scalar recurrences: trajectories, the cobweb, and memory over the weight."""

import math
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import torch

from peephole.stability.recurrences.activations import activate
from peephole.stability.recurrences.cycles import Cycle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from peephole.stability.recurrences.memory_curve import MemoryCurve
    from peephole.stability.recurrences.scalar import ScalarRecurrence

COLOURS = ("C0", "C4")  # of what comes to the first limit, and to the second
UNBOUNDED = "C1"
OTHERS = "0.4"
SHADES = {
    "one limit": None,
    "two limits": "C0",
    "cycle of two": "C3",
    "keeps every start": "C2",
    "blows up": "C1",
}
FACES = {"attracting": "black", "repelling": "white", "neutral": "0.6"}  # of fixed points
FILLINGS = {"attracting": "filled", "repelling": "hollow", "neutral": "grey"}
FAR = 20.0  # times further out than any start: what blows up is drawn to there, so that the rest can be seen
EDGE = 1e300  # of what axes can span
STAIRS = 40  # steps of an orbit in the cobweb


def draw_trajectories(ax: "Axes", found: "ScalarRecurrence") -> None:
    """h over t, a line a start, coloured by where it ends; limits are dashed lines."""
    h = found.trajectories.clamp(-EDGE, EDGE)
    reach = FAR * max(1.0, h[0].abs().max().item())
    # One value beyond the edge is enough to lead the line out; infinite ones cannot be drawn.
    drawn = h.clamp(-2 * reach, 2 * reach)
    # What alternates crosses itself at every step: there the dots say more than the lines between them.
    thin, faint = (0.5, 0.35) if found.weight < 0 else (1.0, 0.8)
    for line, cycle in zip(drawn.T, found.destinations, strict=True):
        colour = _colour(found, cycle)
        ax.plot(line.tolist(), color=colour, linewidth=thin, alpha=faint)
        ax.plot(line.tolist(), "o", color=colour, markersize=2)
    for cycle in found.portrait.limits:
        for point in cycle.points:
            ax.axhline(
                min(max(point, -EDGE), EDGE), color=_colour(found, cycle), linewidth=1, linestyle="--", alpha=0.6
            )
    if h.abs().max() > reach:
        low, high = (end.item() for end in torch.where(h.abs() <= reach, h, 0.0).aminmax())
        margin = 0.05 * (high - low)
        ax.set_ylim(low - margin, high + margin)
    ax.set(xlabel="t, steps", ylabel="h(t)", title=title(found))
    ax.spines[["top", "right"]].set_visible(False)


def draw_cobweb(ax: "Axes", found: "ScalarRecurrence") -> None:
    """The map and the diagonal, the stairs of the outer two starts, and what they come to.

    Dots are fixed points, filled as the title says; a dashed square joins the cycle of two.
    """
    points = [point for cycle in found.portrait.cycles for point in cycle.points]
    ends = [*points, *found.trajectories[0].tolist()]
    low, high = max(min(ends), -EDGE), min(max(ends), EDGE)
    margin = 0.08 * ((high - low) or 1.0)
    low, high = low - margin, high + margin
    line = torch.linspace(low, high, 801, dtype=torch.float64)
    ax.plot([low, high], [low, high], color="0.6", linewidth=1)
    mapped = activate(found.activation, found.weight * line + found.drive).clamp(-3 * EDGE, 3 * EDGE)
    ax.plot(line.tolist(), mapped.tolist(), color="black", linewidth=1.5)
    for start in dict.fromkeys((0, found.trajectories.shape[1] - 1)):
        h = found.trajectories[: STAIRS + 1, start].clamp(low - 2 * (high - low), high + 2 * (high - low)).tolist()
        across = [value for value in h for _ in (0, 1)][:-1]
        up = [value for value in h[1:] for _ in (0, 1)]
        colour = _colour(found, found.destinations[start])
        ax.plot(across, [h[0], *up], color=colour, linewidth=1.2, alpha=0.8)
    for cycle in found.portrait.cycles:
        if cycle.period == 2:
            a, b = cycle.points
            ax.plot([a, b, b, a, a], [b, b, a, a, b], color="black", linewidth=1, linestyle="--")
            ax.plot([a, b], [b, a], "s", color="black", markersize=6)
        else:
            ax.plot(*cycle.points, *cycle.points, "o", color="black", markerfacecolor=FACES[cycle.kind], markersize=7)
    ax.set(xlabel="h(t−1)", ylabel="h(t)", xlim=(low, high), ylim=(low, high), aspect="equal")
    kinds = dict.fromkeys(cycle.kind for cycle in found.portrait.cycles if cycle.period == 1)
    ax.set_title(", ".join(f"{FILLINGS[kind]}: {kind}" for kind in kinds), fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)


def draw_memory(ax: "Axes", curve: "MemoryCurve") -> None:
    """Steps over the weight; triangles at the top are longer than was tried; shades say what starts end in."""
    order = curve.weights.argsort()
    w, steps = curve.weights[order].tolist(), curve.steps[order].tolist()
    finite = [length for length in steps if math.isfinite(length)]
    top = max([float(curve.longest) if any(map(math.isinf, steps)) else 1.0, *finite])
    gaps = [length if math.isfinite(length) else math.nan for length in steps]
    ax.plot(w, [max(length, 1.0) for length in gaps], color="black", linewidth=1.2, marker=".", markersize=3)
    never = [weight for weight, length in zip(w, steps, strict=True) if math.isinf(length)]
    if never:
        ax.plot(never, [top] * len(never), "^", color="black", markersize=6, label=f"more than {curve.longest:,}")
    outcomes = [curve.outcomes[place] for place in order.tolist()]
    edges = [w[0], *((one + other) / 2 for one, other in pairwise(w)), w[-1]]
    place, named = 0, set()
    for outcome, group in groupby(outcomes):
        count = len(list(group))
        shade = SHADES[outcome]
        if shade is not None:
            label = None if outcome in named else outcome.replace("blows", "can blow")
            ax.axvspan(edges[place], edges[place + count], color=shade, alpha=0.12, linewidth=0, label=label)
            named.add(outcome)
        place += count
    ax.set(xlabel="recurrent weight w", ylabel="steps until 1 % of the start is left", yscale="log")
    ax.set_ylim(0.8, 2 * top)
    if named or never:
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize="small")
    ax.spines[["top", "right"]].set_visible(False)


def title(found: "ScalarRecurrence") -> str:
    """The recurrence as an equation with its numbers."""
    weight = {1.0: "", -1.0: "−"}.get(found.weight, f"{found.weight:.4g} ".replace("-", "−", 1))
    drive = f" {'−' if found.drive < 0 else '+'} {abs(found.drive):.4g}" if found.drive else ""
    inside = f"{weight}h(t−1){drive}"
    return f"h(t) = {inside}" if found.activation == "identity" else f"h(t) = {found.activation}({inside})"


def _colour(found: "ScalarRecurrence", cycle: Cycle | None) -> str:
    if cycle is None:
        return UNBOUNDED
    limits = found.portrait.limits
    return COLOURS[limits.index(cycle)] if cycle in limits else OTHERS
