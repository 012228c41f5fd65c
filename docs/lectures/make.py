"""Writes the pages of the lectures, with every number and picture in them: `python docs/lectures/make.py [NAME …]`.

A page is a module of `pages/`: its docstring is its line in the index, `TITLE` its heading, and `page(figures)`
measures and returns the rest. Without a name all are made. On one machine a page comes out the same every time.
"""

from __future__ import annotations

import importlib
import re
import sys
import textwrap
import time
from pathlib import Path
from types import ModuleType

import torch
from page_parts import Figures

from peephole.writing import write_whole

HERE = Path(__file__).parent
IMAGES = HERE / "images"
ITEM = re.compile(r" *([-*]|\d+\.) +")
ORDER = (
    "stability",
    "nonlinearities",
    "vanishing",
    "depth",
    "carousel",
    "lstm",
    "gru",
    "training",
    "dynamics",
    "words",
    "static",
)
INTRODUCTION = """\
# The lectures, measured

What the lectures on recurrent networks say, one page a section: the claim, whether it holds, where it does not, and the
numbers that decide. Each page can be read alone. Every number and every picture is made by the library; `python
docs/lectures/make.py` makes them again.

The letters are those of the lectures: `h(t)` or `h_t` is the hidden state after step t, `x(t)` the input, `W` the
recurrent weights, `c_t` the cell state of an LSTM, `Div` the divergence (the loss), `f` the activation and `f′` its
derivative, `σ` the logistic function, `‖·‖` a vector's length or a matrix's largest singular value, and `ρ(W)` the
largest absolute value of an eigenvalue of `W`.

"""


def file_name(name: str) -> str:
    """`02-nonlinearities.md`: the page's place in the lectures, and its name."""
    return f"{ORDER.index(name) + 1:02}-{name}.md"


def module_of(name: str) -> ModuleType:
    """The module that makes the page."""
    return importlib.import_module(f"pages.{name}")


def wrapped(markdown: str) -> str:
    """Paragraphs and lists with lines of at most 120 signs; everything else as it is."""
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    for place in range(0, len(parts), 2):  # between the blocks of code
        blocks = re.split(r"(\n\n+)", parts[place])
        parts[place] = "".join(block if not block.strip() else _wrapped_block(block) for block in blocks)
    return "".join(parts)


def _wrapped_block(block: str) -> str:
    lines = block.split("\n")
    if any(re.match(r"\| |#|!\[|> |<|\$\$|    |---", line) for line in lines):
        return block
    items: list[list[str]] = []
    for line in lines:
        if items and line.strip() and not ITEM.match(line):
            items[-1].append(line.strip())
        else:
            items.append([line.rstrip()])
    return "\n".join(_filled(" ".join(item)) for item in items)


def _filled(text: str) -> str:
    """One paragraph or item of a list; no line but the first may look like the beginning of an item."""
    marker = ITEM.match(text)
    text = re.sub(r"`[^`]+`", lambda code: code.group().replace(" ", "\0"), text)  # code stays in one piece
    for width in range(120, 100, -1):
        indent = " " * len(marker.group()) if marker else ""
        lines = textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        if not any(re.match(r"\s*([-+*#>]|\d+[.)]) ", line) for line in lines[1:]):
            break
    return "\n".join(lines).replace("\0", " ")


def make(name: str) -> None:
    """Measure one page and write it, and drop the pictures that it no longer shows."""
    module, figures = module_of(name), Figures(IMAGES, name)
    torch.manual_seed(0)
    body = module.page(figures).strip()
    place = ORDER.index(name)
    around = [f"[{way}: {module_of(ORDER[at]).TITLE}]({file_name(ORDER[at])})" for way, at in _neighbours(place)]
    footer = " · ".join([*around, "[all pages](README.md)"])
    text = f"# {place + 1}. {module.TITLE}\n\n{wrapped(body)}\n\n---\n\n{footer}\n"
    write_whole(HERE / file_name(name), text.encode())
    for picture in IMAGES.glob(f"{name}-*.png"):
        if picture.name not in figures.saved:
            picture.unlink()


def _neighbours(place: int) -> list[tuple[str, int]]:
    found = [("before", place - 1), ("next", place + 1)]
    return [(way, at) for way, at in found if 0 <= at < len(ORDER) and _is_written(ORDER[at])]


def _is_written(name: str) -> bool:
    return (HERE / "pages" / f"{name}.py").exists()


def write_index() -> None:
    """`README.md`, which lists every page."""
    lines: list[str] = []
    for place, name in enumerate(ORDER, 1):
        if _is_written(name):
            module = module_of(name)
            about = " ".join((module.__doc__ or "").split())
            lines.append(f"{place}. [{module.TITLE}]({file_name(name)}): {about}")
    write_whole(HERE / "README.md", wrapped(INTRODUCTION + "\n".join(lines) + "\n").encode())


def main(names: list[str]) -> None:
    """Make the pages named, or all."""
    unknown = [name for name in names if name not in ORDER]
    if unknown:
        sys.exit(f"no page {', '.join(unknown)}; there are {', '.join(ORDER)}")
    torch.set_num_threads(1)
    IMAGES.mkdir(exist_ok=True)
    for name in names or [name for name in ORDER if _is_written(name)]:
        begun = time.perf_counter()
        make(name)
        print(f"{file_name(name)}: {time.perf_counter() - begun:.1f} s", flush=True)
    write_index()


if __name__ == "__main__":
    main(sys.argv[1:])
