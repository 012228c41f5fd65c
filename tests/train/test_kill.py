"""Processes that are really killed, at random and at every single change of the file system, and then resumed."""

import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .forking import Fork, fork

__all__ = ["fork"]

Kept = Callable[[Path], dict[str, object]]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory, prose: Callable[..., str], tiny: tuple[str, ...]) -> list[object]:
    """A training of six steps, with a checkpoint after each."""
    path = tmp_path_factory.mktemp("text") / "book.txt"
    path.write_text(prose(5000))
    return ["train", path, *tiny, "--steps", 6, "--checkpoint-seconds", 0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, fork: Fork, words: list[object], kept: Kept) -> dict[str, Any]:
    """What the training leaves that nobody kills, its changes of the file system, and how long it takes."""
    run = tmp_path_factory.mktemp("whole") / "run"
    began = time.monotonic()
    outcome = fork(run, [*words, "--out", run])
    took = time.monotonic() - began
    assert outcome["code"] == 0, outcome["err"]
    return {"kept": kept(run), "operations": outcome["operations"], "seconds": took}


def go_on(fork: Fork, run: Path, words: list[object]) -> None:
    """Resume as a user would: by --resume, or anew where the kill came before there was a run."""
    if (run / "config.json").exists():
        outcome = fork(run, ["train", "--resume", run])
    else:
        outcome = fork(run, [*words, "--out", run])
    assert outcome["code"] == 0, outcome["err"]


def check(fork: Fork, run: Path, words: list[object], kept: Kept, whole: dict[str, Any]) -> None:
    go_on(fork, run, words)
    assert kept(run) == whole["kept"]
    assert {path.name for path in run.iterdir() if path.name.startswith(".")} <= {".lock"}
    shutil.rmtree(run)


def test_killed_at_random(tmp_path: Path, fork: Fork, words: list[object], kept: Kept, whole: dict[str, Any]) -> None:
    run = tmp_path / "run"
    generator = random.Random(4)
    killed = 0
    for _ in range(5):
        outcome = fork(run, [*words, "--out", run], seconds=whole["seconds"] * generator.uniform(0.05, 0.9))
        killed += outcome["code"] == -signal.SIGKILL
        if (run / "config.json").exists():
            fork(run, ["train", "--resume", run], seconds=whole["seconds"] * generator.uniform(0.05, 0.7))
        check(fork, run, words, kept, whole)
    assert killed >= 3


def test_killed_while_a_file_is_being_written(
    tmp_path: Path, fork: Fork, words: list[object], kept: Kept, whole: dict[str, Any]
) -> None:
    left = set()
    for size in (100, 1500, 4000, 6000, 20_000):
        run = tmp_path / str(size)
        outcome = fork(run, [*words, "--out", run], bytes=size)
        assert outcome["code"] == -signal.SIGXFSZ
        left |= {path.name.split(".")[1] for path in run.rglob("*partial*")}
        check(fork, run, words, kept, whole)
    assert {"config", "data", "model", "000000001"} <= left  # what was half written when the process died


def ends_alike_when_killed_before(
    operation: int, tmp_path: Path, fork: Fork, words: list[object], kept: Kept, whole: dict[str, Any]
) -> None:
    run = tmp_path / f"{operation}"
    outcome = fork(run, [*words, "--out", run], operation=operation)
    assert outcome["code"] == -signal.SIGKILL
    check(fork, run, words, kept, whole)


@pytest.mark.parametrize("share", [0.04, 0.12, 0.17, 0.3, 0.41, 0.55, 0.73, 0.86, 0.99])
def test_killed_between_two_changes_of_the_file_system(
    tmp_path: Path, fork: Fork, words: list[object], kept: Kept, whole: dict[str, Any], share: float
) -> None:
    assert whole["operations"] > 80
    ends_alike_when_killed_before(round(share * whole["operations"]), tmp_path, fork, words, kept, whole)


@pytest.mark.slow
def test_killed_after_every_second_change_of_the_file_system(
    tmp_path: Path, fork: Fork, words: list[object], kept: Kept, whole: dict[str, Any]
) -> None:
    for operation in range(1, whole["operations"] + 1, 2):
        ends_alike_when_killed_before(operation, tmp_path, fork, words, kept, whole)


@pytest.mark.parametrize("threads", [1, 2])
def test_killed_again_and_again(tmp_path: Path, fork: Fork, words: list[object], kept: Kept, threads: int) -> None:
    words = [*words, "--threads", threads, "--steps", 40, "--dropout", 0.3]
    began = time.monotonic()
    outcome = fork(tmp_path / "whole", [*words, "--out", tmp_path / "whole"])
    took = time.monotonic() - began
    assert outcome["code"] == 0, outcome["err"]
    generator = random.Random(threads)
    run = tmp_path / "run"
    steps = {0}
    rounds, patience = 0, 1.0
    while rounds < 8 or (len(steps) < 2 and rounds < 24):
        known = (run / "config.json").exists()
        start = ["train", "--resume", run] if known else [*words, "--out", run]
        outcome = fork(run, start, seconds=patience * took * generator.uniform(0.2, 0.6))
        assert outcome["code"] in (0, -signal.SIGKILL), outcome["err"]
        found = {int(path.name) for path in run.glob("checkpoint/[0-9]*")}
        if found <= steps:  # killed before it had saved anything, as on a machine that others use: longer the next time
            patience *= 1.3
        steps |= found
        rounds += 1
    go_on(fork, run, words)
    assert len(steps) >= 2
    assert kept(run) == kept(tmp_path / "whole")


def test_a_disk_that_fills_up(
    tmp_path: Path, fork: Fork, words: list[object], kept: Kept, whole: dict[str, Any]
) -> None:
    where = set()
    for size in (100, 800, 1500, 3000, 6000, 20_000, 30_000):
        run = tmp_path / str(size)
        outcome = fork(run, [*words, "--out", run], full=size)
        assert outcome["code"] == 2, outcome["err"]
        assert "Traceback" not in outcome["err"]
        line = outcome["err"].splitlines()[-1]
        assert line.startswith("peephole: ")
        assert "file too large" in line
        assert outcome["err"].count("peephole: ") == 1
        where |= {name for name in ("config.json", "history.jsonl", "model.safetensors", "checkpoint") if name in line}
        if size >= 6000:
            assert "whole" in line or "no earlier checkpoint" in line or "untouched" in line
        check(fork, run, words, kept, whole)
    assert {"model.safetensors", "checkpoint"} <= where


def test_a_disk_that_fills_up_later_keeps_the_checkpoint(
    tmp_path: Path, fork: Fork, words: list[object], kept: Kept, whole: dict[str, Any]
) -> None:
    run = tmp_path / "run"
    assert fork(run, [*words, "--out", run, "--steps", 3])["code"] == 0
    before = kept(run)
    outcome = fork(run, ["train", "--resume", run, "--steps", 6], full=20_000)
    assert outcome["code"] == 2
    line = outcome["err"].splitlines()[-1]
    assert "checkpoint of step 4 not written (file too large); the checkpoint of step 3 is whole" in line
    for name, value in before.items():
        if name.startswith("checkpoint/"):
            assert kept(run)[name] == value
    outcome = fork(run, ["train", "--resume", run])
    assert outcome["code"] == 0, outcome["err"]
    assert "going on after step 3" in outcome["err"]


def test_a_history_that_cannot_grow_is_said(tmp_path: Path, fork: Fork, words: list[object]) -> None:
    run = tmp_path / "run"
    outcome = fork(run, [*words, "--out", run, "--steps", 500, "--checkpoint-seconds", 1e9], full=50_000)
    assert outcome["code"] == 2
    line = outcome["err"].splitlines()[-1]
    assert line.startswith("peephole: ")
    assert "history.jsonl: cannot be written (file too large)" in line
    outcome = fork(run, ["train", "--resume", run, "--steps", 20])
    assert outcome["code"] == 0, outcome["err"]
