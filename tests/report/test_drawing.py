"""Figures in a page: no styles of their own, colours that follow the page, the same bytes each time."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from peephole.errors import InputError
from peephole.report.drawing import Sheet


def plot(ax: Any) -> None:
    ax.plot([1, 2, 3], [1, 10, 1000], color="C1", label="one")
    ax.plot([1, 2, 3], [2, 20, 2000], color="C2", label="other")
    ax.axhline(5, color="0.6")
    ax.set(yscale="log", xlabel="a < b & c")
    ax.legend()


def test_a_picture_has_classes_in_place_of_styles_and_no_identity_twice() -> None:
    sheet = Sheet()
    pictures = [sheet.picture(plot), sheet.picture(plot)]
    assert pictures[0] != pictures[1]  # of their own names
    roots = [ET.fromstring(picture) for picture in pictures]
    identities = [element.get("id") for root in roots for element in root.iter() if element.get("id")]
    assert identities
    assert len(identities) == len(set(identities))
    named = set(re.findall(r"#([\w-]+)", "".join(re.findall(r'(?:href="|url\()(#[\w-]+)', "".join(pictures)))))
    assert named == set(identities)
    for root in roots:
        assert root.get("viewBox")
        assert not [element for element in root.iter() if element.get("style")]
        assert {element.tag for element in root.iter()} <= {"svg", "g", "path", "use", "defs", "clipPath", "rect",
                                                            "text", "tspan"}  # fmt: skip


def test_its_colours_are_those_of_the_page() -> None:
    sheet = Sheet()
    picture = sheet.picture(plot)
    assert "stroke:var(--c1)" in sheet.css
    assert "stroke:var(--g153)" in sheet.css
    assert "--g153:#999999;" in sheet.light
    assert "--g153:" in sheet.dark
    assert "--g153:#999999;" not in sheet.dark
    assert "#" not in sheet.css.replace("url(#", "")
    classes = set(re.findall(r'class="(m\d+)"', picture))
    assert classes == set(re.findall(r"\.(m\d+)\{", sheet.css))


def test_lines_that_differ_in_colour_alone_get_marks() -> None:
    from peephole.figures import draw

    figure = draw(plot)
    assert [line.get_marker() for line in figure.axes[0].lines] == ["None", "o", "None"]
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [handle.get_marker() for handle in legend.legend_handles] == ["None", "o"]  # pyright: ignore


def test_the_same_figure_is_the_same_bytes() -> None:
    from peephole.figures import SUFFIXES, content, draw

    assert Sheet().picture(plot) == Sheet().picture(plot)
    for suffix in SUFFIXES:
        assert content(draw(plot), suffix) == content(draw(plot), suffix)


def test_a_figure_is_written_for_the_screen_and_for_papers(tmp_path: Path) -> None:
    from peephole.cli.stability_out import write_figure
    from peephole.figures import check_suffix, draw, save

    assert write_figure(tmp_path / "new", "curve", draw(plot)) == tmp_path / "new/curve.png"
    begins = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    for suffix, begin in begins.items():
        assert (tmp_path / "new/curve").with_suffix(suffix).read_bytes().startswith(begin)
    assert b"a &lt; b &amp; c" in (tmp_path / "new/curve.svg").read_bytes()  # text stays text
    for suffix in (".jpg", ""):
        with pytest.raises(InputError, match="figures end in"):
            save(draw(plot), tmp_path / f"curve{suffix}")
    check_suffix(".SVG")
    assert not list(tmp_path.glob("curve*"))


def test_lines_of_the_same_name_keep_their_own_marks_in_a_legend() -> None:
    from peephole.figures import draw

    def twice(ax: Any) -> None:
        for colour in ("C0", "C1"):
            ax.plot([1, 2, 3], color=colour, label="random direction")
        ax.legend()

    legend = draw(twice).axes[0].get_legend()
    assert legend is not None
    assert [handle.get_marker() for handle in legend.legend_handles] == ["None", "o"]  # pyright: ignore


def test_settings_of_matplotlib_come_back() -> None:
    import matplotlib

    from peephole.figures import draw

    before = dict(matplotlib.rcParams)
    draw(plot)
    assert dict(matplotlib.rcParams) == before
