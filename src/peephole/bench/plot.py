"""Figures of what was found."""

from typing import TYPE_CHECKING

from peephole.bench.growth import Growth
from peephole.bench.results import OURS, Report
from peephole.figures import check_installed, content, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    OURS: "black",
    "torch.nn": "C1",
    "onnxruntime": "C0",
    "loop": "C2",
    "product": "C6",
    "peephole float32": "C3",
    "peephole lstm": "C4",
}


def draw_ratios(ax: "Axes", report: Report) -> None:
    """A row for each cell, dtype and mode; a dot for each shape and peer, at their time over ours."""
    rows: dict[str, int] = {}
    named: set[str] = set()
    for one in report.measured:
        row = rows.setdefault(f"{one.case.cell} {one.case.dtype} {one.case.mode}", len(rows))
        names = [name for name in one.seconds if name != OURS]
        for place, name in enumerate(names):
            ratio = one.ratio(name)
            if ratio is not None:
                height = row + 0.6 * ((place + 1) / (len(names) + 1) - 0.5)
                label = None if name in named else name
                ax.plot(ratio, height, "o", color=COLOURS[name], markersize=4, alpha=0.7, label=label)
                named.add(name)
    ax.axvline(1.0, color="0.6", linewidth=1)
    ax.set(xscale="log", xlabel="their time over ours (right of the line ours is faster)")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)
    if named:
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def draw_growth(ax: "Axes", growth: Growth, axis: str) -> None:
    """Milliseconds of one run over an axis; lines are cells, their colour the contestant, dashed while training."""
    for one in growth.series():
        if one.axis == axis:
            style = {"linestyle": "--" if one.mode == "training" else "-", "marker": "o", "markersize": 3}
            label = f"{one.cell} {one.mode}, {one.name}"
            milliseconds = [1e3 * seconds for seconds in one.seconds]
            ax.plot(one.values, milliseconds, color=COLOURS[one.name], label=label, **style)  # pyright: ignore[reportArgumentType]
    ax.set(xlabel=axis, ylabel="ms of one run")
    ax.set_xscale("log", base=10 if axis == "T" else 2)  # as the values go
    ax.set_yscale("log")
    ax.spines[["top", "right"]].set_visible(False)


def picture(found: Report | Growth, suffix: str = ".png") -> bytes:
    """The figure as a file's content. `InputError` without matplotlib."""
    check_installed()
    with styled():
        return content(_drawn(found), suffix)


def _drawn(found: Report | Growth) -> "Figure":
    from matplotlib.figure import Figure

    if isinstance(found, Report):
        kinds = {(one.case.cell, one.case.dtype, one.case.mode) for one in found.measured}
        figure = Figure(figsize=(8, 1.5 + 0.4 * len(kinds)), layout="constrained")
        found.plot(figure.subplots())
        return figure
    axes = list(dict.fromkeys(point.axis for point in found.points))
    figure = Figure(figsize=(5 * len(axes), 5), layout="constrained")
    for ax, axis in zip(figure.subplots(1, len(axes), squeeze=False)[0], axes, strict=True):
        found.plot(ax, axis)
    figure.axes[-1].legend(
        frameon=False, fontsize="x-small", handlelength=3.5, loc="upper left", bbox_to_anchor=(1.0, 1.0)
    )
    return figure
