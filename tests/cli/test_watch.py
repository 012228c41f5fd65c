"""What `peephole train` shows of a look inside: a line in a log now and then, a live line on a terminal, warnings."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.cli import progress
from peephole.cli.progress import Progress
from peephole.runs.folder import Run
from peephole.train.contract import Listener

WATCH: dict[str, Any] = {
    "flow": {"layer 0": {"h": [1.0, 0.5, 0.004], "c": [1.0, 0.9, 0.5]}},
    "horizon": {"layer 0": {"h": 2, "c": None}},
    "saturation": {"layer 0": {"i": [0.2, 0.1], "f": [0.0, 0.9]}},
    "dead": {"layer 0": 3},
    "units": {"layer 0": 16},
    "update_ratio": {"w": 0.0012},
    "clipped": 0.4,
    "memory": 812_000_000,
}
SEEN = (
    "gradients reach more than 2 steps back; gates shut/open i 20/10 %, f 0/90 %; 3 of 16 units dead; "
    "updates 0.001 of the weights; 40 % of the steps clipped; 812 MB"
)


class Shown:
    """Stands for a model: what `Progress` asks of one."""

    unit = "characters"

    def describe(self) -> list[str]:
        return ["a net"]

    def show(self, measured: dict[str, Any]) -> str:
        return f"{measured['divergence']:.3f} nats"


class Terminal(io.StringIO):
    """Text that takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


def row(step: int) -> dict[str, Any]:
    return {"step": step, "divergence": 1.5, "gradient_norm": 0.3, "per_second": 1e4, "seconds": 2.0, "watch": WATCH}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says, to be set."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_log_says_it_now_and_then_and_what_turns_at_once(clock: list[float]) -> None:
    log = io.StringIO()
    shown = Progress(Shown(), log)  # pyright: ignore
    shown.on_start(0, 1000)
    for step in range(1, 9):
        clock[0] += 10
        shown.on_watch(row(step), ["units die"] if step == 2 else [])
    shown.close()
    lines = log.getvalue().splitlines()[2:]
    assert lines == [
        "step 2  turned: units die",
        f"inside, step 3: {SEEN}",
        f"inside, step 6: {SEEN}",
    ]


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_terminal_keeps_it_in_view(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    shown = Progress(Shown(), screen)  # pyright: ignore
    shown.on_start(0, 1000)
    for step in range(1, 4):
        clock[0] += 1
        shown.on_step(row(step), 1000)
        shown.on_watch(row(step), ["units die"] if step == 2 else [])
    shown.close()
    written = screen.getvalue()
    assert "step 3/1,000" in written
    assert "inside, step 3: gradients reach more than 2 steps back; \ngates shut/open i 20/10 %" in written  # wrapped
    assert written.endswith("\x1b[2K")  # and taken away
    assert written.count("turned: units die") == 1


def test_training_says_what_it_sees(
    tmp_path: Path,
    book: Path,
    cli: Callable[..., Any],
    tiny: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "WATCH_SECONDS", 0.0)
    outcome = cli("train", book, *tiny, "--steps", 4, "--watch", 2, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    lines = [line for line in outcome.err.splitlines() if line.startswith("inside, ")]
    assert [line.split(":")[0] for line in lines] == ["inside, step 1", "inside, step 2", "inside, step 4"]
    assert all("gradients reach " in line and "gates shut/open i " in line for line in lines)
    blind = cli("train", book, *tiny, "--steps", 4, "--watch", 0, "--out", tmp_path / "blind")
    assert "inside" not in blind.err
    assert not any("watch" in row for row in Run(tmp_path / "blind").read_history())


def test_watch_is_on_unless_switched_off(
    tmp_path: Path, book: Path, cli: Callable[..., Any], tiny: tuple[str, ...]
) -> None:
    assert cli("train", book, *tiny, "--steps", 2, "--out", tmp_path / "run").code == 0
    assert ["watch" in row for row in Run(tmp_path / "run").read_history()] == [True, False]
    assert "--watch is -1; expected 0 or more" in cli("train", book, "--watch", -1, "--out", tmp_path / "no").refusal


def test_listeners_may_ignore_it() -> None:
    Listener().on_watch(row(1), ["units die"])
