"""Figures as SVG that stands in a page: colours that follow it from light to dark, classes in place of inline styles.

A page that forbids styles outside its sheet may hold such figures, and one sheet serves all of them.
"""

import io
import re
import xml.etree.ElementTree as ET  # reads what matplotlib has just written, nothing else
from collections.abc import Callable
from typing import TYPE_CHECKING

from peephole.figures import COLOURS, UNDATED, draw, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 4.4, 3.1  # inches; about as wide as the narrowest screens, so that letters stay legible there
MARGINS = {"left": 0.185, "right": 0.955, "top": 0.97, "bottom": 0.155}  # shares of the figure
HEXES = re.compile(r"#[0-9a-f]{6}\b")
NAMED = re.compile(r"url\(#([^)]+)\)")
FACES = re.compile(r"font-family:[^;]*;?\s*|font:\s*(?=[\d.]+px)")


class Sheet:
    """Styles of figures as classes, each written once, and the greys that they use."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._greys: set[int] = set()
        self._figures = 0

    def picture(self, plot: "Callable[[Axes], None]") -> str:
        """What `plot` draws as an SVG element without a background."""
        self._figures += 1
        root = ET.parse(io.BytesIO(_svg(plot))).getroot()
        used = {name for element in root.iter() for name in _references(element)}
        self._clean(root, f"f{self._figures}-", used)
        for name in ("width", "height", "version"):
            root.attrib.pop(name, None)
        root.set("aria-hidden", "true")  # its caption says the same in words
        root.set("focusable", "false")
        return ET.tostring(root, encoding="unicode", short_empty_elements=True)

    @property
    def css(self) -> str:
        """The rules of all pictures so far."""
        return "\n".join(f".{name}{{{style}}}" for style, name in self._names.items())

    @property
    def light(self) -> str:
        """The greys as they are."""
        return "".join(f"--g{grey}:{_hex(grey)};" for grey in sorted(self._greys))

    @property
    def dark(self) -> str:
        """The greys on a dark ground: what was far from the paper still is."""
        return "".join(f"--g{grey}:{_hex(round(238 - grey * 212 / 255))};" for grey in sorted(self._greys))

    def _clean(self, element: ET.Element, prefix: str, used: set[str]) -> None:
        for child in list(element):
            if child.tag.split("}")[-1] in ("metadata", "style"):
                element.remove(child)
            else:
                self._clean(child, prefix, used)
        element.tag = element.tag.split("}")[-1]
        attributes = {name.split("}")[-1]: value for name, value in element.attrib.items()}
        element.attrib.clear()
        style = attributes.pop("style", None)
        for name, value in attributes.items():
            if name == "id":
                if value in used:
                    element.set("id", prefix + value)
            elif name == "href" and value.startswith("#"):
                element.set("href", f"#{prefix}{value[1:]}")
            elif name not in ("space", "type"):
                element.set(name, NAMED.sub(rf"url(#{prefix}\1)", value))
        if style:
            element.set("class", self._class_of(NAMED.sub(rf"url(#{prefix}\1)", style)))
        if element.tag in ("g", "svg", "defs") and not (element.text or "").strip():
            element.text = None
        element.tail = None if element.tag != "tspan" else element.tail

    def _class_of(self, style: str) -> str:
        if "font" in style:
            style = FACES.sub(lambda found: "font-size: " if found[0].startswith("font:") else "", style)
            style = re.sub(r"(font-size: [\d.]+px)[^;]*", r"\1", style)
        style = HEXES.sub(self._variable, style).strip().rstrip(";").replace("; ", ";").replace(": ", ":")
        return self._names.setdefault(style, f"m{len(self._names)}")

    def _variable(self, found: re.Match[str]) -> str:
        colour = found[0]
        if colour in COLOURS:
            return f"var(--c{COLOURS.index(colour)})"
        red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
        if red == green == blue:
            self._greys.add(red)
            return f"var(--g{red})"
        return colour


def _svg(plot: "Callable[[Axes], None]") -> bytes:
    """The figure as matplotlib writes it. Through `savefig` it would be drawn twice, which takes twice as long."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure = draw(plot, WIDTH, HEIGHT)
    if len(figure.axes) == 1:  # margins that suit all; to find those of one takes as long as drawing it
        figure.set_layout_engine(None)
        figure.subplots_adjust(**MARGINS)
    figure.patch.set_visible(False)
    for ax in figure.axes:
        ax.patch.set_visible(False)
    written = io.BytesIO()
    with styled():
        FigureCanvasSVG(figure).print_svg(written, metadata=UNDATED[".svg"])
    return written.getvalue()


def _references(element: ET.Element) -> list[str]:
    found: list[str] = []
    for name, value in element.attrib.items():
        found += NAMED.findall(value)
        if name.endswith("href") and value.startswith("#"):
            found.append(value[1:])
    return found


def _hex(grey: int) -> str:
    return f"#{grey:02x}" + f"{grey:02x}" * 2
