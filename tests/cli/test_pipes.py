"""Readers that go away, and terminals that must be left as they were."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.cli import train
from peephole.cli.progress import Progress, _duration
from peephole.tasks import load
from peephole.tasks.text.model import TextModel

COMMAND = f"{sys.executable} -m peephole"


@pytest.fixture(params=["buffered", "unbuffered"])
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where a write fails depends on when it happens: at once, or when the process ends."""
    rest = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**rest, "PYTHONUNBUFFERED": "1"} if request.param == "unbuffered" else rest


def piped(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run in bash, and print the exit code of the first of the pipe."""
    script = f'{command}; echo "code ${{PIPESTATUS[0]}}"'
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("--help", "peephole: recurrent networks you can look into"),
        ("train --help", "usage: peephole train"),
        ("sample {run} --length 3000 --prime 'The '", "The "),
    ],
)
def test_head_ends_a_command_quietly(
    tmp_path: Path, trained: Path, environment: dict[str, str], words: str, first: str
) -> None:
    words = words.format(run=trained, book=trained.with_name("book.txt"))
    result = piped(f"{COMMAND} {words} | head -n 1", tmp_path, environment)
    assert result.stdout.startswith(first)
    assert result.stdout.endswith("code 0\n")
    assert result.stderr == ""


@pytest.mark.parametrize("words", ["--help", "train --help", "--version", "runs {runs}", "next {run}"])
def test_a_reader_that_was_never_there(trained: Path, environment: dict[str, str], words: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = words.format(run=trained, runs=trained.parent)
    command = [sys.executable, "-m", "peephole", *words.split()]
    try:
        result = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, env=environment, text=True, check=False
        )
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


class Terminal(io.TextIOWrapper):
    """A terminal, as far as anybody asks."""

    def __init__(self) -> None:
        self.raw_bytes = io.BytesIO()
        super().__init__(self.raw_bytes, "utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        return self.raw_bytes.getvalue().decode()


def test_a_live_line_goes_away_and_the_cursor_comes_back(
    tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch, tiny: tuple[str, ...]
) -> None:
    """However a training ends: rich hides the cursor while its line lives."""
    monkeypatch.setenv("TERM", "xterm")
    endings: dict[str, tuple[str, ...]] = {
        "done": (),
        "blown up": ("--learning-rate", "1e38", "--clip-norm", "None", "--cell", "rnn", "--nonlinearity", "relu"),
    }
    for name, words in endings.items():
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        arguments = [str(book), *tiny, "--steps", "6", "--out", str(tmp_path / name), *words]
        if name == "done":
            assert train.run(arguments) == 0
        else:
            with pytest.raises(ValueError, match="became"):
                train.run(arguments)
        shown = terminal.text
        assert "step 6/6 100 %" in shown or name != "done"
        assert "\x1b[?25l" in shown
        assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
        assert "held out" in shown or name != "done"


def test_a_log_gets_a_line_now_and_then(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(load(trained), sys.stderr)
    progress.on_start(0, 100)
    for step in range(1, 101):
        row = {"step": step, "divergence": 2.0, "gradient_norm": 0.5, "per_second": 12_300.0, "seconds": step / 10}
        progress.on_step(row, 100)
    progress.on_budget(400, 0.0123)
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("step")] == [
        "step 1/100   1 %  2.000 nats 2.885 bits  gradient 0.50  12.3k characters/s  10 s left",
        "step 100/100 100 %  2.000 nats 2.885 bits  gradient 0.50  12.3k characters/s  0 s left",
    ]
    assert lines[-1] == "the budget allows 400 steps of 12 ms; --steps 400 repeats it"


def test_durations() -> None:
    assert [_duration(seconds) for seconds in (0.4, 59.6, 61.0, 3599.6, 7322.0)] == [
        "0 s",
        "1 min 0 s",
        "1 min 1 s",
        "1 h 0 min",
        "2 h 2 min",
    ]


def test_text_appears_as_it_is_written(trained: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    """A pipe gets text when it is drawn, not when the command ends."""
    real = TextModel.write
    written: list[str] = []

    def write(self: TextModel, *arguments: Any) -> Any:
        for place, (number, piece) in enumerate(real(self, *arguments)):
            if place == 2:
                raise KeyboardInterrupt
            written.append(piece)
            yield number, piece

    monkeypatch.setattr(TextModel, "write", write)
    outcome = cli("sample", trained, "--prime", "The ")
    assert outcome.code == 130
    assert outcome.out == "The " + "".join(written)
    assert 2 <= len(outcome.out) - 4 < 500
    assert outcome.err == "\npeephole: interrupted\n"
