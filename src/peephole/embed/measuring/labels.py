"""Names beside points of a figure, so that they can be read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 8.0  # points
AROUND = 16  # directions from the point in which a name may stand
AWAY = (5.0, 9.0, 14.0, 20.0)  # points from it, the nearest first: farther is worse
CROSSED = 0.3  # what it costs to stand on a line, beside standing on a name or a point wholly


def place_labels(
    ax: "Axes",
    points: Float[np.ndarray, "points 2"],
    names: Sequence[str],
    colours: Sequence[str],
    lines: Float[np.ndarray, "lines 2 2"],
) -> None:
    """Write each name beside its point, where it covers other names, points and `lines` the least.

    Fixes the limits of the axes: where names stand depends on them. Names are placed one after another, those whose
    points have the nearest neighbours first.
    """
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
    corners, size = np.array([ax.get_xlim(), ax.get_ylim()]), _size(ax)
    scale = size / (corners[:, 1] - corners[:, 0])
    places = (points - corners[:, 0]) * scale  # in points, as sizes of type are
    segments = (lines - corners[:, 0]) * scale
    taken = np.stack([places - 3, places + 3], 1)  # boxes, two opposite corners each
    distances = np.linalg.norm(places[:, None] - places, axis=-1) + np.diag(np.full(len(places), np.inf))
    for number in map(int, np.argsort(distances.min(1), kind="stable")):
        half = _extent(names[number]) / 2
        best: tuple[float, np.ndarray, np.ndarray] | None = None
        for away in AWAY:
            for turn in range(AROUND):
                angle = 2 * np.pi * turn / AROUND
                direction = np.array([np.cos(angle), np.sin(angle)])
                centre = places[number] + direction * (away + np.abs(direction) * half)
                box = np.stack([centre - half, centre + half])
                cost = _covered(box, np.delete(taken, number, 0)) / np.prod(2 * half) * 10
                cost += CROSSED * _crossing(box, segments).sum() + 0.02 * away
                cost += 10 * bool((box[0] < 0).any() or (box[1] > size).any())
                if best is None or cost < best[0]:
                    best = cost, centre, box
        assert best is not None
        _, centre, box = best
        ax.annotate(
            names[number],
            tuple(points[number]),
            tuple(centre - places[number]),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=SIZE,
            color=colours[number],
            zorder=3,
            parse_math=False,  # a $ in a word is one
        )
        taken = np.concatenate([taken, box[None]])


def _size(ax: "Axes") -> Float[np.ndarray, "2"]:
    """Width and height of the axes in points, about: their layout is not done before they are drawn."""
    figure = ax.figure.get_size_inches() * 72  # pyright: ignore[reportAttributeAccessIssue]
    box = ax.get_position()
    return np.asarray(figure * np.array([box.width, box.height]), np.float64)


def _extent(name: str) -> Float[np.ndarray, "2"]:
    """Width and height of a name in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    box = TextPath((0, 0), name.replace("$", "S"), size=SIZE, prop=FontProperties(family=["sans-serif"])).get_extents()
    return np.array([box.width + 2, SIZE + 1])


def _covered(box: Float[np.ndarray, "2 2"], taken: Float[np.ndarray, "boxes 2 2"]) -> float:
    """The area that a box has in common with others."""
    common = np.minimum(box[1], taken[:, 1]) - np.maximum(box[0], taken[:, 0])
    return float(np.prod(np.maximum(common, 0), axis=1).sum())


def _crossing(box: Float[np.ndarray, "2 2"], segments: Float[np.ndarray, "lines 2 2"]) -> Bool[np.ndarray, " lines"]:
    """Which segments go through a box: those of which a part lies between both pairs of sides (Liang & Barsky 1984)."""
    start, step = segments[:, 0], segments[:, 1] - segments[:, 0]
    step = np.where(np.abs(step) < 1e-9, 1e-9, step)
    first, second = (box[0] - start) / step, (box[1] - start) / step
    enters, leaves = np.minimum(first, second).max(1), np.maximum(first, second).min(1)
    return np.maximum(enters, 0) <= np.minimum(leaves, 1)
