"""`peephole units RUN`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.cli import units as command


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run that learned a little, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "copied"))


def test_a_table_and_a_figure(trained: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    words = ("--property", "vowels=[aeiou]", "--random", 3, "--out", tmp_path / "out")
    outcome = cli("units", trained, *words)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert "2,000 held-out characters" in lines[0]
    assert lines[1].split("  ")[1] == "property"
    named = {line.strip().partition("  ")[0] for line in lines[2:]}
    assert {"vowels", "blank", "position in the line", "surprise in bits"} <= named
    assert lines[-1].startswith("left out: ")
    assert "inside a comment (holds at fewer than 10)" in lines[-1]
    assert (tmp_path / "out" / "units.png").stat().st_size > 1000
    assert before == {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}


def test_one_json_object(trained: Path, cli: Callable[..., Any]) -> None:
    outcome = cli("units", trained, "--random", 0, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    told = json.loads(outcome.out)
    assert told["run"] == str(trained)
    assert told["units"]
    for unit in told["units"]:
        assert unit["ablation"] is None
        assert {"follows", "layer", "unit", "kind", "chosen_r", "r", "p", "holm", "chance"} <= unit.keys()
        assert 0 < unit["p"] <= unit["holm"] <= 1


def test_a_terminal_shows_text_in_colour(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert command.run([str(trained), "--random", "0"]) == 0
    out = capsys.readouterr().out
    shown = out.partition("left out:")[2]
    assert "blue −" in shown
    assert "\x1b[30;48;5;" in shown
    assert "⏎" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--property", "("), "is no regular expression"),
        (("--property", "ζ"), "holds at fewer than 10 of the 2,000"),
        (("--property", "a", "a"), "names 'a' twice"),
        (("--random", -1), "--random is -1; expected at least 0"),
    ],
)
def test_options_that_cannot_be_used(
    words: tuple[object, ...], said: str, trained: Path, cli: Callable[..., Any]
) -> None:
    assert said in cli("units", trained, *words).refusal


def test_runs_that_have_no_units(copied: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    shutil.rmtree(copied / "data")
    assert "data" in cli("units", copied).refusal
    (copied / "model.safetensors").unlink()
    shutil.rmtree(copied / "checkpoint")
    assert "no such file; expected the weights of a run" in cli("units", copied).refusal
    assert "no such folder" in cli("units", tmp_path / "none").refusal
    words = ("--steps", 1, "--hidden-size", 4, "--length", 4, "--threads", 1, "--no-report")
    assert cli("train", "parity", "--out", tmp_path / "parity", *words).code == 0
    assert "a run of parity, which is no text" in cli("units", tmp_path / "parity").refusal
