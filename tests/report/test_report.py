"""The whole page: what stands in it, in what order, and that it needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import peephole
from peephole import report
from peephole.errors import InputError
from peephole.report.parts import Missing
from peephole.runs.folder import Run
from peephole.units import reading

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Outline(HTMLParser):
    """The elements of a page, in order, each with its attributes and those it stands in; and that they all close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.text: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self.open)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.found if name == tag]


@pytest.fixture(scope="module")
def page(trained: Path) -> str:
    return report.make(report.look_at(trained)).html


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    return Outline(page)


def missing(found: report.Report) -> dict[str, str]:
    """What a report says that it lacks, by section."""
    return {section.key: part.text for section in found.sections for part in section.parts if isinstance(part, Missing)}


def test_sections_and_headings_stand_in_order(outline: Outline) -> None:
    keys = [attributes.get("id") for attributes in outline.all("section")]
    assert keys == ["about", "training", "watched", "inside", "text", "units", "samples", "references"]
    assert [attributes["href"] for attributes in outline.all("a")] == ["#content", *(f"#{key}" for key in keys)]
    levels = [int(tag[1]) for tag, _, _ in outline.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_it_can_be_read_out(outline: Outline) -> None:
    assert outline.all("html") == [{"lang": "en"}]
    assert outline.all("title")
    figures = [place for place, (tag, _, _) in enumerate(outline.found) if tag == "figure"]
    assert len(figures) > 10
    captions = [around for tag, _, around in outline.found if tag == "figcaption"]
    assert len(captions) == len(figures)
    assert all(around[-1] == "figure" for around in captions)
    assert all(attributes.get("aria-hidden") == "true" for attributes in outline.all("svg"))
    assert {attributes.get("scope") for attributes in outline.all("th")} == {"col", "row"}
    assert len(outline.all("caption")) == len(outline.all("table"))
    identities = [attributes["id"] for _, attributes, _ in outline.found if "id" in attributes]
    assert len(identities) == len(set(identities))


def test_it_needs_nothing_from_elsewhere_and_allows_nothing_else(page: str, outline: Outline) -> None:
    for _, attributes, _ in outline.found:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    policy = next(attributes["content"] for attributes in outline.all("meta") if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src")
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert "'sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() + "'" in policy
        assert "http" not in content
        assert "url(" not in content.replace("url(#", "")
    assert len(page.encode()) < 5_000_000


def test_the_same_run_is_the_same_bytes_and_stays_as_it_is(trained: Path, page: str) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    model = peephole.load(trained)
    assert report.make(model).html == page
    assert before == {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}


def test_what_it_says_is_what_was_measured(trained: Path, outline: Outline) -> None:
    text = " ".join("".join(outline.text).split())
    best = min(row["held_out"] for row in Run.open(trained).read_history() if "held_out" in row)
    assert f"Held out {best:.4f} nats" in text
    assert "book.txt" in text
    assert str(trained) not in text  # where a file lay is its owner's affair
    for name in ("unigram", "bigram", "5-gram", "xz", "this net"):
        assert name in text
    assert "Karpathy, Johnson & Fei-Fei 2015" in text
    assert "Loshchilov & Hutter 2019" in text


@pytest.mark.usefixtures("blank_pictures")
def test_a_problem_has_its_sections(parity: Path) -> None:
    found = report.make(report.look_at(parity))
    assert [section.key for section in found.sections] == [
        "about",
        "training",
        "watched",
        "inside",
        "exactness",
        "references",
    ]
    assert missing(found).keys() <= {"watched"}
    text = "".join(Outline(found.html).text)
    assert "static net: answers right" in text
    assert "looking at nothing" in text


@pytest.mark.usefixtures("blank_pictures")
def test_a_static_net_says_what_it_has_not(parity: Path) -> None:
    found = report.make(report.look_at(parity / "static"))
    assert missing(found)["inside"] == "Left out: a net without recurrence, nothing flows through time in it."
    assert "exactness" not in missing(found)
    Outline(found.html)


@pytest.mark.usefixtures("blank_pictures")
def test_what_was_watched_is_drawn(watched: Path) -> None:
    found = report.make(report.look_at(watched))
    assert "watched" not in missing(found)
    text = "".join(Outline(found.html).text)
    assert "Gradients reached" in text
    assert "3 of 16 units of layer 0 do not move any more." in text
    assert "812 MB" in text


@pytest.mark.usefixtures("blank_pictures")
def test_units_that_are_asked_for(trained: Path) -> None:
    model = peephole.load(trained)
    found = report.make(model, units=("1:3", "0:15"))
    text = "".join(Outline(found.html).text)
    assert "layer 1, unit 3: asked for" in text
    for units, said in ((("2:0",), "layers"), (("0:16",), "16 units"), (("x",), "expected layer and unit")):
        with pytest.raises(InputError, match=said):
            report.make(model, units=units)
    with pytest.raises(InputError, match="at most 64"):
        report.make(model, units=("0:1",) * 65)


@pytest.mark.usefixtures("blank_pictures")
def test_a_run_that_died_in_its_first_step(copied: Path) -> None:
    for name in ("model.safetensors", "history.jsonl"):
        (copied / name).unlink()
    shutil.rmtree(copied / "checkpoint")
    before = sorted(copied.rglob("*"))
    found = report.make(report.look_at(copied))
    said = missing(found)
    assert said["training"].startswith("No curves: the history has no rows")
    assert said["inside"] == "Left out: this run kept no weights, it ended before its first checkpoint."
    assert {"about", "watched", "text", "samples"} <= said.keys()
    assert found.headline == "Nothing was measured on held-out data."
    text = "".join(Outline(found.html).text)
    assert "5-gram" in text  # what the text costs others is known
    assert "this net" not in text
    assert sorted(copied.rglob("*")) == before
    shutil.rmtree(copied / "data")
    with pytest.raises(InputError, match="ended before its data was read"):
        report.look_at(copied)


@pytest.mark.usefixtures("blank_pictures")
def test_a_run_without_history_and_one_whose_text_is_gone(copied: Path) -> None:
    (copied / "history.jsonl").unlink()
    shutil.rmtree(copied / "data")
    found = report.make(report.look_at(copied))
    said = missing(found)
    assert said["training"].startswith("Baselines left out: ")
    assert said["text"].startswith("Left out: ")
    assert said["inside"].startswith("Left out: ")
    assert "samples" not in said
    Outline(found.html)


@pytest.mark.usefixtures("blank_pictures")
def test_a_run_in_training(copied: Path) -> None:
    (copied / "model.safetensors").unlink()  # not measured yet: the checkpoint has the weights
    with (copied / "history.jsonl").open("a") as file:
        file.write('{"step": 61, "diverg')  # as it is being written
    with Run.open(copied).lock():
        found = report.make(report.look_at(copied))
    assert "This run is in training now" in "".join(Outline(found.html).text)


@pytest.mark.usefixtures("blank_pictures")
def test_numbers_that_are_not_finite_and_rows_of_strangers(copied: Path) -> None:
    row = {"step": 61, "divergence": float("nan"), "gradient_norm": float("inf"), "held_out": None, "right": "x"}
    strange = {"step": 62, "watch": {"flow": {"layer 0": {"h": [None, 0.1]}}, "update_ratio": {"x": None}}}
    with (copied / "history.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n" + json.dumps(strange) + "\n")
    Outline(report.make(report.look_at(copied)).html)


HOSTILE = (
    'x = "</script><script>alert(1)</script>"; y = "<!-- &amp; &lt;" \x01\x07\x1b[31m\x7f\x85 </style></div>\n'
    "שלום עולם, أهلا \u202eabc\u2066 e\u0301 n\u0303 \U0001d11e \U0001f468\u200d\U0001f469 naïve\tend\n"
)


@pytest.mark.usefixtures("blank_pictures")
@pytest.mark.parametrize("unknown", ["symbol", "bytes"])
def test_text_of_anybody_stands_as_text(
    unknown: str, tmp_path: Path, cli: Callable[..., Any], tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "STEPS", 3 * len(HOSTILE.encode()))
    (tmp_path / "<b>&amp;<b>.txt").write_text(HOSTILE * 40, encoding="utf-8")
    words = ("--steps", 3, "--unknown", unknown, "--min-count", 41 if unknown == "bytes" else 1, "--no-report")
    outcome = cli("train", tmp_path / "<b>&amp;<b>.txt", "--out", tmp_path / "run", *tiny, *words)
    assert outcome.code == 0, outcome.err
    page = report.make(report.look_at(tmp_path / "run")).html
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
    outline = Outline(page)
    assert len(outline.all("script")) == 1
    assert len(outline.all("style")) == 1
    assert not outline.all("b")
    text = "".join(outline.text)
    assert "<b>&amp;<b>.txt" in text
    assert 'x = "</script><script>alert(1)</script>"; y = "<!-- &amp; &lt;" ␁␇␛[31m␡[U+0085] </style></div>⏎' in text
    assert (
        "שלום עולם, أهلا [U+202E]abc[U+2066] e\u0301 n\u0303 \U0001d11e \U0001f468\u200d\U0001f469 naïve⇥\tend⏎" in text
    )
    lines = [attributes for attributes in outline.all("bdi") if "dir" in attributes]
    assert lines
    assert {attributes["dir"] for attributes in lines} == {"auto"}


@pytest.mark.usefixtures("blank_pictures")
def test_a_text_that_is_too_short_says_so(
    tmp_path: Path, cli: Callable[..., Any], tiny: tuple[str, ...], prose: Callable[..., str]
) -> None:
    (tmp_path / "short.txt").write_text(prose(400))
    words = ("--steps", 2, "--batch-size", 2, "--window", 8, "--held-out", 0.02, "--no-report")
    outcome = cli("train", tmp_path / "short.txt", "--out", tmp_path / "run", *tiny, *words)
    assert outcome.code == 0, outcome.err
    found = report.make(report.look_at(tmp_path / "run"))
    assert "held-out symbols" in missing(found)["inside"]
    Outline(found.html)


@pytest.mark.usefixtures("blank_pictures")
def test_a_wide_layer_is_chosen_from_and_not_embedded(
    tmp_path: Path, cli: Callable[..., Any], tiny: tuple[str, ...], book: Path
) -> None:
    words = (
        *tiny,
        "--cell",
        "rnn",
        "--layers",
        1,
        "--hidden-size",
        900,
        "--init",
        "torch",
        "--steps",
        1,
        "--no-report",
    )
    outcome = cli("train", book, "--out", tmp_path / "run", *words)
    assert outcome.code == 0, outcome.err
    found = report.make(report.look_at(tmp_path / "run"))
    page = found.html
    assert "900 in layer 0" in page
    assert 1 <= page.count("<option>") <= 8
    assert len(page.encode()) < 1_000_000
