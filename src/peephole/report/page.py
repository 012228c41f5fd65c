"""Sections to one HTML file: the template, its style sheet and its few lines of script, and nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from peephole._version import __version__
from peephole.figures import COLOURS
from peephole.report.drawing import Sheet
from peephole.report.parts import Picture, Section
from peephole.report.showing import visible_text

# The colours of `figures`, and the same hues on a dark ground.
DARK = ("#4ea6de", "#f08340", "#2fbd92", "#dc9abd", "#efb63a", "#8acdf3", "#b4b4b4")


def render(title: str, headline: str, sections: Sequence[Section]) -> str:
    """The page as text."""
    sheet = Sheet()
    pictures = (part for section in sections for part in section.parts if isinstance(part, Picture))
    drawn = {id(part): _draw(sheet, part) for part in pictures}
    light = "".join(f"--c{place}:{colour};" for place, colour in enumerate(COLOURS)) + sheet.light
    dark = "".join(f"--c{place}:{colour};" for place, colour in enumerate(DARK)) + sheet.dark
    css = _read("report.css").replace("/*light*/", light).replace("/*dark*/", dark) + sheet.css
    script = _read("report.js")
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(css)}'; script-src '{_hash(script)}'"
    )
    page = _template().render(
        title=title,
        headline=headline,
        sections=sections,
        drawn=lambda part: drawn[id(part)],
        css=Markup(css),
        script=Markup(script),
        policy=policy,
        version=__version__,
    )
    return page + "\n"


def _draw(sheet: Sheet, part: Picture) -> Markup:
    """The picture, or a line that says why there is none: numbers of a net that blew up may have no place on axes."""
    try:
        return Markup(sheet.picture(part.draws))
    except (ValueError, ArithmeticError) as error:
        return Markup('<p class="missing">It cannot be drawn: {}.</p>').format(_seen(str(error)))


@cache
def _template() -> Any:
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, finalize=_seen
    )
    environment.filters["prose"] = _prose
    return environment.from_string(_read("report.html"))


def _seen(value: Any) -> Any:
    """What stands in a page from anywhere: without characters that cannot be seen or that move what is beside them."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else visible_text(value)


def _prose(text: str) -> Markup:
    """A sentence of ours, in which `backticks` stand around what is typed."""
    parts = [escape(visible_text(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return escape(visible_text(text))
    return Markup("").join(Markup("<code>{}</code>").format(part) if place % 2 else part
                           for place, part in enumerate(parts))  # fmt: skip


@cache
def _read(name: str) -> str:
    return (files("peephole.report") / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """How a policy of contents names a text that is allowed."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
