"""`peephole report`, and the report that `train` writes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
STEPS = ("--steps", 2)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports look at little and draw nothing: what they look like is tested elsewhere."""
    from peephole.report import laboratory
    from peephole.report.drawing import Sheet
    from peephole.units import reading

    monkeypatch.setattr(reading, "STEPS", 100)
    monkeypatch.setattr(reading, "ROWS", 2)
    monkeypatch.setattr(laboratory, "SEQUENCES", 1)
    monkeypatch.setattr(laboratory, "STEPS", 10)
    monkeypatch.setattr(Sheet, "picture", lambda self, plot: "<svg></svg>")


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def test_a_report_of_a_run(cli: Cli, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    outcome = cli("report", trained, "--out", out, "--units", "0:3", "1:2")
    assert outcome.code == 0, outcome.err
    headline, written = outcome.out.splitlines()
    assert headline.startswith("Held out ")
    assert written == f"wrote {out}"
    assert "layer 1, unit 2: asked for" in out.read_text()
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (copy / "report.html").unlink(missing_ok=True)
    assert cli("report", copy).code == 0
    assert (copy / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_refusals(cli: Cli, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such folder" in cli("report", tmp_path / "nothing").refusal
    assert "is a folder" in cli("report", trained, "--out", tmp_path).refusal
    assert "cannot be written" in cli("report", trained, "--out", tmp_path / "none" / "page.html").refusal
    assert "--units has 5:0" in cli("report", trained, "--units", "5:0", "--out", tmp_path / "page.html").refusal
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'peephole[figures]'" in cli("report", trained, "--out", tmp_path / "page.html").refusal
    assert not list(tmp_path.iterdir())


def test_train_writes_it_and_says_where(cli: Cli, book: Path, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    outcome = cli("train", book, "--out", tmp_path / "run", *tiny, *STEPS, "--report")
    assert outcome.code == 0, outcome.err
    assert outcome.err.splitlines()[-1] == f"wrote {tmp_path / 'run/report.html'}"
    assert "after 2 of 2 steps" in (tmp_path / "run/report.html").read_text()
    outcome = cli("train", book, "--out", tmp_path / "other", *tiny, *STEPS, "--no-report")
    assert outcome.code == 0, outcome.err
    assert not (tmp_path / "other/report.html").exists()
    outcome = cli("train", "--resume", tmp_path / "other", "--steps", 3, "--report")
    assert outcome.code == 0, outcome.err
    assert "after 3 of 3 steps" in (tmp_path / "other/report.html").read_text()


def test_train_of_a_problem_writes_one_for_both_nets(cli: Cli, tmp_path: Path) -> None:
    words = ("--length", 4, "--hidden-size", 4, "--warmup", 1, "--threads", 1, "--report")
    outcome = cli("train", "parity", "--out", tmp_path / "run", *STEPS, *words)
    assert outcome.code == 0, outcome.err
    page = (tmp_path / "run/report.html").read_text()
    assert "static net: answers right" in page
    assert not (tmp_path / "run/static/report.html").exists()
    assert outcome.out.splitlines()[0] in page  # the same measurement of exactness


def test_a_training_that_is_interrupted_has_one(
    cli: Cli, book: Path, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from peephole.train import loop

    advance = loop._Training._step

    def stop_after_three(training: Any) -> Any:
        row = advance(training)
        training.stop_requested = row["step"] == 3
        return row

    monkeypatch.setattr(loop._Training, "_step", stop_after_three)
    outcome = cli("train", book, "--out", tmp_path / "run", *tiny, "--steps", 9, "--evaluate-every", 2, "--report")
    assert outcome.code == 130
    assert "stopped after step 3" in outcome.out
    assert "after 2 of 3 steps" in (tmp_path / "run/report.html").read_text()


def test_a_training_that_blew_up_has_one_and_fails_as_before(
    cli: Cli, book: Path, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    words = ("--optimizer", "sgd", "--learning-rate", 1e30, "--clip-norm", "None", "--evaluate-every", 1)
    outcome = cli("train", book, "--out", tmp_path / "run", *tiny, "--steps", 50, *words, "--warmup", 0, "--report")
    assert outcome.complaint.startswith(("the divergence", "a gradient"))
    assert rows(tmp_path / "run")
    assert (tmp_path / "run/report.html").exists(), outcome.err
    assert "another training" not in outcome.err


@pytest.mark.parametrize("error", [ValueError("a figure\nfailed"), KeyboardInterrupt()])
def test_whatever_becomes_of_the_report_the_training_stands(
    cli: Cli,
    book: Path,
    tmp_path: Path,
    tiny: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    from peephole import report

    def fail(*given: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(report, "make", fail)
    outcome = cli("train", book, "--out", tmp_path / "run", *tiny, *STEPS, "--report")
    assert outcome.code == 0
    said = outcome.err.splitlines()[-1]
    assert said.startswith("no report was written")
    assert f"peephole report {tmp_path / 'run'} writes it" in said
    assert (tmp_path / "run/model.safetensors").exists()
    assert len(rows(tmp_path / "run")) == 2


def test_without_matplotlib_training_names_the_extra(
    cli: Cli, book: Path, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = cli("train", book, "--out", tmp_path / "run", *tiny, *STEPS, "--report")
    assert outcome.code == 0, outcome.err
    assert "pip install 'peephole[figures]'" in outcome.err.splitlines()[-1]
    assert not (tmp_path / "run/report.html").exists()
