"""The command line in processes of its own: Ctrl-C, a second training, several processes that train together."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from peephole.runs.folder import Run
from peephole.runs.tensors import read_tensors

from ..commands import without_report


class Outcome(Protocol):
    """What conftest's `cli` gives back."""

    code: int
    out: str
    err: str
    refusal: str


Kept = Callable[[Path], dict[str, object]]


class Command(subprocess.Popen[str]):
    """A `peephole` command in the background, in a process group of its own."""

    def __init__(self, *words: object, cwd: Path, launcher: tuple[str, ...] = ()) -> None:
        command = [sys.executable, "-m", *launcher, "peephole", *map(str, words)]
        super().__init__(
            command,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # a shell that runs these tests in its background has Ctrl-C ignored, which is inherited
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Until the condition holds; fails when the process ends before."""
        for _ in range(2000):
            if condition():
                return
            if self.poll() is not None:
                pytest.fail(f"ended with {self.returncode}: {self.communicate()}")
            time.sleep(0.02)
        pytest.fail("waited in vain")

    def finish(self) -> tuple[int, str, str]:
        out, err = self.communicate(timeout=120)
        return self.returncode, out, err


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """`start("train", …)` runs a command in `tmp_path`; what still runs at the end of the test is killed."""
    commands: list[Command] = []

    def begin(*words: object, **options: tuple[str, ...]) -> Command:
        commands.append(Command(*without_report(words), cwd=tmp_path, **options))
        return commands[-1]

    yield begin
    for command in commands:
        if command.poll() is None:
            os.killpg(command.pid, signal.SIGKILL)
        command.communicate()


Start = Callable[..., Command]


def test_ctrl_c_says_how_to_go_on_and_a_second_training_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: Start,
    book: Path,
    cli: Callable[..., Outcome],
    tiny: tuple[str, ...],
    kept: Kept,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["train", "book.txt", *tiny, "--steps", 120, "--dropout", 0.2, "--evaluate-every", 40, "--keep", "last"]
    stopped = start(*words, "--out", "runs/stopped", "--checkpoint-seconds", 0.0)
    stopped.wait_for(lambda: list((tmp_path / "runs/stopped/checkpoint").glob("[0-9]*")))

    os.kill(stopped.pid, signal.SIGSTOP)  # so that it is still at work when the others look
    config = (tmp_path / "runs/stopped/config.json").read_bytes()
    refusal = cli("train", "--resume", "runs/stopped", "--steps", 500).refusal
    assert "another training is running in it" in refusal
    assert "exists and is not empty" in cli(*words, "--out", "runs/stopped").refusal
    assert "training now" in cli("runs").out
    assert (tmp_path / "runs/stopped/config.json").read_bytes() == config
    os.kill(stopped.pid, signal.SIGCONT)

    os.kill(stopped.pid, signal.SIGINT)
    code, out, err = stopped.finish()
    assert code == 130, err
    assert "Traceback" not in err
    found = re.fullmatch(r"stopped after step (\d+), .*: peephole (train --resume runs/stopped)\n", out)
    assert found
    assert 0 < int(found[1]) < 120
    resumed = cli(*found[2].split())
    assert resumed.code == 0, resumed.err
    assert f"going on after step {found[1]} of 120 steps" in resumed.err
    assert resumed.out.startswith("runs/stopped: done")
    assert cli(*words, "--out", "whole").code == 0
    assert kept(tmp_path / "runs/stopped") == kept(tmp_path / "whole")


def test_ctrl_c_before_the_first_step_leaves_nothing_or_a_run_to_go_on_with(
    tmp_path: Path, start: Start, prose: Callable[..., str], tiny: tuple[str, ...]
) -> None:
    (tmp_path / "book.txt").write_text(prose(100_000) * 200)  # takes a while to read
    reading = start("train", "book.txt", *tiny, "--steps", 3, "--out", "run")
    reading.wait_for(lambda: (tmp_path / "run/config.json").exists())
    os.kill(reading.pid, signal.SIGINT)
    code, _, err = reading.finish()
    assert code == 130, err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["book.txt"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["devices", "torchrun"])
def test_processes_train_together_and_resume(
    tmp_path: Path, start: Start, book: Path, tiny: tuple[str, ...], kept: Kept, how: str
) -> None:
    def train(*words: object) -> tuple[int, str, str]:
        if how == "devices":
            return start("train", *words).finish()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        launcher = ("torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}", "--module")
        return start("train", *words, launcher=launcher).finish()

    words = ["book.txt", *tiny, "--devices", 2, "--accelerator", "cpu", "--dropout", 0.2, "--checkpoint-seconds", 0]
    code, out, err = train(*words, "--steps", 8, "--out", "whole")
    assert code == 0, err
    assert out.count("whole: done") == 1
    assert err.count("step 8  held out") == 1  # only one of them speaks

    code, _, err = train(*words, "--steps", 5, "--out", "short", "--schedule", "constant")
    assert code == 0, err
    code, _, err = train(*words, "--steps", 8, "--out", "long", "--schedule", "constant")
    assert code == 0, err
    code, _, err = train("--resume", "short", "--steps", 8)
    assert code == 0, err
    assert "going on after step 5 of 8 steps" in err
    states = [kept(tmp_path / name) for name in ("short", "long")]
    for state in states:
        state.pop("history.jsonl")  # measured at other steps
        state.pop("model.safetensors")
        for name, value in state.items():
            if name.startswith("checkpoint/"):
                for progress in ("best", "best_step", "since_best"):
                    value["progress"].pop(progress)  # pyright: ignore
    assert states[0] == states[1]
    assert sorted(path.name for path in (tmp_path / "short/checkpoint/000000008").iterdir()) == [
        "rank-0.safetensors",
        "rank-1.safetensors",
    ]

    code, out, _ = start("eval", "short", "--no-baselines").finish()  # one process reads what two have written
    assert code == 0
    assert "this model" in out


@pytest.mark.slow
def test_a_checkpoint_of_two_processes_is_not_resumed_by_one(
    tmp_path: Path, start: Start, book: Path, tiny: tuple[str, ...]
) -> None:
    words = ["train", "book.txt", *tiny, "--devices", 2, "--accelerator", "cpu", "--steps", 2, "--out", "run"]
    code, _, err = start(*words).finish()
    assert code == 0, err
    config = tmp_path / "run/config.json"
    config.write_text(config.read_text().replace('"devices": 2', '"devices": 1'))
    code, _, err = start("train", "--resume", "run", "--steps", 4).finish()
    assert code == 2
    assert "written by 2 processes; resume with --devices 2, got 1" in err.splitlines()[-1]


def seen_alike(one: Path, other: Path, steps: list[int]) -> None:
    """Both runs were looked into after these steps, once each, and saw the same but for rounding."""
    looks = [[row for row in Run.open(run).read_history() if "watch" in row] for run in (one, other)]
    for rows in looks:
        assert [row["step"] for row in rows] == steps
    for first, second in zip(*looks, strict=True):
        for layer, curves in first["watch"]["flow"].items():
            for state, curve in curves.items():
                assert second["watch"]["flow"][layer][state] == pytest.approx(curve, rel=0.01, abs=1e-6)


@pytest.mark.slow
def test_two_processes_average_their_gradients(
    tmp_path: Path, start: Start, book: Path, tiny: tuple[str, ...], kept: Kept
) -> None:
    """Without dropout, two processes with two lanes each do what one does with four."""
    words = ["train", "book.txt", *tiny, "--accelerator", "cpu", "--dropout", 0, "--steps", 6, "--watch", 3]
    words += ["--keep", "last"]
    for name, devices in (("one", 1), ("two", 2)):
        code, _, err = start(*words, "--devices", devices, "--out", name).finish()
        assert code == 0, err
    one, two = (read_tensors(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name in one:
        assert float((one[name] - two[name]).abs().max()) <= 1e-5, name
    seen_alike(tmp_path / "one", tmp_path / "two", [1, 3, 6])


@pytest.mark.slow
def test_a_compiled_training_is_the_same_but_for_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Start, book: Path, tiny: tuple[str, ...]
) -> None:
    """In a process of its own: the check of annotations stops the compiler. Windows with and without a new document."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    words = ["train", "book.txt", *tiny, "--separator", ".", "--dropout", 0, "--steps", 6, "--watch", 4]
    for name, more in (("plain", ()), ("compiled", ("--compile",))):
        code, _, err = start(*words, *more, "--out", name).finish()
        assert code == 0, err
    code, _, err = start("train", "--resume", "compiled", "--steps", 8).finish()
    assert code == 0, err
    assert start("train", "--resume", "plain", "--steps", 8).finish()[0] == 0
    plain, compiled = (read_tensors(tmp_path / name / "model.safetensors") for name in ("plain", "compiled"))
    assert plain.keys() == compiled.keys()
    for name in plain:
        assert float((plain[name] - compiled[name]).abs().max()) <= 1e-5, name
    seen_alike(tmp_path / "plain", tmp_path / "compiled", [1, 4, 8])
