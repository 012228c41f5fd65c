"""Figures as files, in one style. matplotlib is an extra and loads here alone; results draw themselves on axes that
they are given.

The colours are Okabe & Ito's (2008), which people with any kind of colour vision can tell apart. In greyscale some of
them meet, so that lines which would differ in colour alone get marks too.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.errors import InputError
from peephole.writing import write_whole

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5c5c5c")
MARKS = ("o", "s", "^", "D", "v", "P")
MARKED = 8  # marks along a line
SUFFIXES = (".png", ".svg", ".pdf")

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.35",
    "axes.linewidth": 0.8,
    "xtick.color": "0.35",
    "xtick.labelcolor": "black",
    "ytick.color": "0.35",
    "ytick.labelcolor": "black",
    "legend.frameon": False,
    "legend.fontsize": "small",
    "lines.linewidth": 1.6,
    "image.cmap": "cividis",  # evenly lighter, for every kind of colour vision and in greyscale
    "svg.fonttype": "none",  # text stays text: it can be read out, searched and edited
    "pdf.fonttype": 42,
    "svg.hashsalt": "peephole",  # the same figure is the same file
}
UNDATED = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def check_installed() -> None:
    """Raise `InputError`, with the extra's name, where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError("figures need matplotlib, which is not installed; pip install 'peephole[figures]'") from None


def check_suffix(suffix: str) -> None:
    """Raise `InputError` for the suffix of a file that no figure can be written to."""
    if suffix.lower() not in SUFFIXES:
        raise InputError(f"figures end in {', '.join(SUFFIXES)}, not in {suffix or 'nothing'!r}; choose one of them")


@contextmanager
def styled() -> Iterator[None]:
    """Figures that are made and drawn inside have the style of the package; matplotlib's own settings come back.

    with styled():
        figure = Figure(figsize=(5, 3), layout="constrained")
        found.plot(figure.subplots())
    """
    from cycler import cycler
    from matplotlib import rc_context

    settings: Any = {**STYLE, "axes.prop_cycle": cycler(color=list(COLOURS))}
    with rc_context(settings):
        yield


def draw(plot: "Callable[[Axes], None]", width: float = 6.0, height: float = 3.8) -> "Figure":
    """A figure in the style, in inches, with one pair of axes that `plot` draws on: `draw(found.plot)`."""
    from matplotlib.figure import Figure

    with styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        plot(figure.subplots())
        mark_apart(figure)
    return figure


def save(figure: "Figure", path: Path) -> None:
    """Write the figure whole, as its suffix says: .png, .svg or .pdf. `InputError` for another one."""
    write_whole(path, content(figure, path.suffix))


def content(figure: "Figure", suffix: str) -> bytes:
    """What a file of the figure with this suffix holds; the same figure gives the same bytes."""
    check_suffix(suffix)
    suffix = suffix.lower()
    mark_apart(figure)
    written = io.BytesIO()
    with styled():  # the kinds of fonts, and the salt of the names in a vector file
        figure.savefig(written, format=suffix[1:], dpi=120, metadata=UNDATED[suffix])
    return written.getvalue()


def png(figure: "Figure") -> bytes:
    """A PNG file's content."""
    return content(figure, ".png")


def mark_apart(figure: "Figure") -> None:
    """Give marks to named lines that would differ from others on their axes in colour alone, and to their legend.

    A figure that was done already stays as it is.
    """
    from matplotlib.colors import to_hex

    for ax in figure.axes:
        kinds: dict[Any, dict[str, list[Line2D]]] = {}
        for line in ax.lines:
            named = not str(line.get_label()).startswith("_")
            if named and line.get_marker() in (None, "None", "", " ") and len(line.get_xydata()) > 2:  # pyright: ignore[reportArgumentType]
                kinds.setdefault(line.get_linestyle(), {}).setdefault(to_hex(line.get_color()), []).append(line)
        marks: dict[Line2D, str] = {}
        for colours in kinds.values():
            for mark, lines in zip(cycle(MARKS), list(colours.values())[1:], strict=False):  # the first goes without
                marks |= dict.fromkeys(lines, mark)
        for line, mark in marks.items():
            _mark(line, mark)
        legend = ax.get_legend()
        if legend is not None and marks:
            _mark_legend(legend, ax.get_legend_handles_labels()[0], marks)


def _mark_legend(legend: "Legend", named: "list[Artist]", marks: "dict[Line2D, str]") -> None:
    """The same marks in a legend: line by line where it lists what its axes name, else by what lines are called."""
    shown = list(legend.legend_handles)
    if len(shown) == len(named):
        found = [marks.get(artist) for artist in named]  # pyright: ignore[reportArgumentType, reportCallIssue]
    else:
        called = {str(line.get_label()): mark for line, mark in marks.items()}
        found = [called.get(text.get_text()) for text in legend.get_texts()]
    for handle, mark in zip(shown, found, strict=True):
        if mark is not None and handle is not None:
            handle.set(marker=mark, markersize=4)


def _mark(line: "Line2D", mark: str) -> None:
    apart = max(1, len(line.get_xydata()) // MARKED)  # pyright: ignore[reportArgumentType]
    line.set(marker=mark, markersize=4, markevery=(apart // 2, apart))
