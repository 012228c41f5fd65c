"""What every page is built of: pictures, tables, code with what it prints, and numbers as words."""

from __future__ import annotations

import contextlib
import io
import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from peephole.writing import write_whole

DOTS_PER_INCH = 110
LARGEST = 120_000  # bytes of a picture, so that a page of several loads at once
STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.3,
    "svg.hashsalt": "peephole",
}


class Figures:
    """The pictures of one page, `images/PAGE-NAME.png`."""

    def __init__(self, folder: Path, page: str) -> None:
        self._folder, self._page = folder, page
        self.saved: list[str] = []
        matplotlib.rcParams.update(STYLE)

    def axes(
        self, columns: int = 1, rows: int = 1, width: float = 9.0, height: float = 3.2
    ) -> tuple[Figure, list[Axes]]:
        """A new figure of `width` × `height` inches, and its axes row by row."""
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, list(figure.subplots(rows, columns, squeeze=False).flat)

    def save(self, name: str, figure: Figure, alt: str) -> str:
        """Write the picture; the line of Markdown that shows it. `alt` says in words what is to be seen."""
        if any(sign in alt for sign in "\n[]"):
            raise ValueError(f"the alternative text of {name} holds a bracket or a line's end: {alt!r}")
        drawn, content = io.BytesIO(), io.BytesIO()
        figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
        # a palette makes the file a third as large, and by coverage each line keeps its own colour
        palette = Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        palette.save(content, "png", optimize=True)
        file = f"{self._page}-{name}.png"
        if content.tell() > LARGEST:
            raise ValueError(f"{file} takes {content.tell()} bytes; expected {LARGEST} at most, so draw less into it")
        write_whole(self._folder / file, content.getvalue())
        self.saved.append(file)
        return f"![{alt}](images/{file})"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown; the cells are written as they are, so format numbers before."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def snippet(code: str) -> str:
    """A block of Python, and under it what it prints: it is run here, by itself."""
    code = textwrap.dedent(code).strip()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "snippet", "exec"), {})
    block = f"```python\n{code}\n```"
    lines = [part for line in printed.getvalue().splitlines() for part in textwrap.wrap(line, 100) or [""]]
    return block + ("\n\n```text\n" + "\n".join(lines) + "\n```" if lines else "")


def number(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits, as a reader writes it: 0.123, 4500, 3.2·10⁻⁷, ∞."""
    value = float(value)
    if not math.isfinite(value):
        return "no number" if math.isnan(value) else ("−∞" if value < 0 else "∞")
    sign, size = ("−" if value < 0 else ""), abs(value)
    mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
    if size and not -4 <= int(exponent) < 6:
        raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{sign}{mantissa}·10{raised}"
    text = f"{float(f'{size:.{digits - 1}e}'):.10f}".rstrip("0").rstrip(".")
    return sign + text


def percent(share: float, digits: int = 0) -> str:
    """A share of 0 to 1 in per cent."""
    return f"{100 * float(share):.{digits}f} %"
