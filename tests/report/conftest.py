"""Runs to report on: one of text, one of parity, and copies that something happened to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def little() -> Iterator[None]:
    """Reports look at little, because annotations are checked at every step that a net is taken through."""
    from peephole.report import laboratory
    from peephole.units import reading

    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (reading, "STEPS", 150),
            (reading, "ROWS", 2),
            (laboratory, "SEQUENCES", 2),
            (laboratory, "STEPS", 20),
            (laboratory, "TARGETS", 3),
        ):
            patch.setattr(module, name, value)
        yield


@pytest.fixture
def blank_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are made of nothing, which takes no time."""
    from peephole.report.drawing import Sheet

    monkeypatch.setattr(Sheet, "picture", lambda self, plot: '<svg viewBox="0 0 1 1" aria-hidden="true"></svg>')


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run that learned a little, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "copied"))


@pytest.fixture(scope="session")
def parity(tmp_path_factory: pytest.TempPathFactory, cli: Callable[..., Any]) -> Path:
    """A run of parity with its static net, both hardly trained."""
    folder = tmp_path_factory.mktemp("parity") / "run"
    words = ("--steps", 20, "--hidden-size", 8, "--length", 6, "--warmup", 2, "--threads", 1, "--no-report")
    outcome = cli("train", "parity", "--out", folder, *words)
    assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture(scope="session")
def watch() -> Callable[[int], dict[str, Any]]:
    """`watch(step)`: what a training of two LSTM layers sees at a step, as it stands in a history."""

    def see(step: int) -> dict[str, Any]:
        decay = 0.5 + 0.004 * step
        curve = [decay**lag for lag in range(16)]
        under = next((lag for lag, value in enumerate(curve) if value < 0.01), None)
        layers = ("layer 0", "layer 1")
        return {
            "flow": {name: {"h": curve, "c": [min(1.0, 2 * value) for value in curve]} for name in layers},
            "horizon": {name: {"h": under, "c": None} for name in layers},
            "saturation": {name: {"i": [0.1, 0.2], "f": [0.0, step / 200], "o": [0.3, None]} for name in layers},
            "forget_product": dict.fromkeys(layers, 0.03 + step / 1000),
            "dead": {"layer 0": 3, "layer 1": 0},
            "units": dict.fromkeys(layers, 16),
            "range": {name: {"h": [-0.9, 0.8], "c": [-3.0, 4.0]} for name in layers},
            "update_ratio": {f"recurrent.weight_{number}": 0.001 * (number + 1) for number in range(8)},
            "clipped": 0.4,
            "memory": 812_000_000,
        }

    return see


@pytest.fixture
def watched(copied: Path, watch: Callable[[int], dict[str, Any]]) -> Path:
    """The run, with what was seen at every tenth step."""
    path = copied / "history.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row.pop("watch", None)
        if row["step"] % 10 == 0:
            row["watch"] = watch(row["step"])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return copied
