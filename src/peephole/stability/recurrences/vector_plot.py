"""Figures of vector recurrences: what is left of differences between starts, and where states go."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from peephole.stability.recurrences.settling import LEFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from peephole.stability.recurrences.vector import VectorRecurrence

MOST_LINES = 60  # of pairs; more would be a surface
MOST_PATHS = 6  # between first and last states
EDGE = 1e100  # states that went beyond it are not drawn
SMALLEST = 1e-17  # relative distances below are rounding
MOVING = "C1"


def draw_forgetting(ax: "Axes", found: "VectorRecurrence") -> None:
    """Relative distances of pairs, thin, their root mean square, and the largest singular value; over t, log scale."""
    apart = found.distances
    stride = -(-apart.shape[1] // MOST_LINES)
    for line in apart[:, ::stride].T:
        ax.plot(_visible(line), color="0.7", linewidth=0.6)
    ax.plot([], color="0.7", linewidth=0.6, label="pairs of starts")
    ax.plot(_visible(apart.square().mean(1).sqrt()), color="black", linewidth=1.8, label="their root mean square")
    ax.plot(
        found.left_at,
        _visible(found.left[:, 0]),
        color="C0",
        linewidth=1.2,
        marker="o",
        markersize=3,
        label="largest singular value of ∂h(t)/∂h(0)",
    )
    ax.axhline(LEFT, color="0.4", linewidth=1, linestyle=":")
    ax.annotate("1 %", (1.0, LEFT), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize="small")
    ax.set(xlabel="t, steps", ylabel="distance, relative to t = 0", yscale="log", xlim=(0, found.steps))
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize="small")
    ax.spines[["top", "right"]].set_visible(False)


def draw_states(ax: "Axes", found: "VectorRecurrence") -> None:
    """First (hollow) and last (filled) states of every start, in the plane of their two largest principal components.

    Lines are the ways of some. Colours are limits, in their order, and red is still moving. One unit is drawn over t.
    """
    h = found.trajectories
    h = h[h.abs().amax((1, 2)) <= max(EDGE, h[0].abs().max().item())]
    if h.shape[2] == 1:
        for start in range(h.shape[1]):
            ax.plot(h[:, start, 0].tolist(), color=_colour(found, start), linewidth=0.8)
        ax.set(xlabel="t, steps", ylabel="h(t)")
        ax.spines[["top", "right"]].set_visible(False)
        return
    flat = h.flatten(0, 1)
    centre = flat.mean(0)
    spread = (flat - centre).abs().max().clamp_min(1e-300)
    values, axes = torch.linalg.eigh(((flat - centre) / spread).T @ ((flat - centre) / spread))
    shares = (values.clamp_min(0) / values.clamp_min(0).sum()).flip(0)[:2].nan_to_num()
    plane = (h - centre) @ axes[:, -2:].flip(1)  # [T + 1, N, 2]
    for start in range(h.shape[1]):
        across, up = plane[:, start].T.tolist()
        colour = _colour(found, start)
        if start < MOST_PATHS:
            ax.plot(across, up, color=colour, linewidth=0.7, alpha=0.6)
        ax.plot(across[0], up[0], "o", color=colour, markerfacecolor="none", markersize=4)
        ax.plot(across[-1], up[-1], "o", color=colour, markersize=5)
    names = ("first", "second")
    labels = [f"{name} component ({share:.0%} of variance)" for name, share in zip(names, shares.tolist(), strict=True)]
    ax.set(xlabel=labels[0], ylabel=labels[1])
    ax.set_title(f"from hollow to filled: {len(h) - 1} steps", fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)


def _visible(line: Tensor) -> list[float]:
    """Without what a logarithmic axis cannot show."""
    return [value if SMALLEST <= value < math.inf else math.nan for value in line.tolist()]


def _colour(found: "VectorRecurrence", start: int) -> str:
    place = found.ending.limit_of[start]
    return MOVING if place is None else f"C{place if place < 3 else place + 1}"  # C3 is the red of what moves
