"""Learning word vectors in processes that are really killed, or whose disk fills, and then go on."""

import signal
from pathlib import Path

import pytest

from ..train.forking import Fork, fork
from .texts import two_topics

__all__ = ["fork"]
HOW = ("--size", 6, "--epochs", 2, "--threads", 1, "--min-count", 1, "--phrases", 1, "--phrase-threshold", 1)


def kept(run: Path) -> dict[str, bytes]:
    """Everything of a run that does not hold a time."""
    names = ["vectors.bin", "config.json", "corpus/tokens.bin", "corpus/vocabulary.txt", "corpus/phrases.txt"]
    tables = sorted(run.glob("checkpoint/*/*.npy"))
    return {str(path.relative_to(run)): path.read_bytes() for path in (*map(run.joinpath, names), *tables)}


def check(fork: Fork, run: Path, words: list[object], whole: dict[str, bytes]) -> None:
    """Go on as a user would, and end as if nothing had been."""
    resumed = ["embed", "cbow", "--resume", run] if (run / "config.json").exists() else [*words, "--out", run]
    outcome = fork(run, resumed)
    assert outcome["code"] == 0, outcome["err"]
    assert kept(run) == whole
    assert {path.name for path in run.iterdir() if path.name.startswith(".")} <= {".lock"}


@pytest.mark.slow
def test_killed_at_any_change_of_the_file_system_it_ends_alike(tmp_path: Path, fork: Fork) -> None:
    words = ["embed", "cbow", two_topics(tmp_path / "text.txt", 300), *HOW]
    outcome = fork(tmp_path / "whole", [*words, "--out", tmp_path / "whole"])
    assert outcome["code"] == 0, outcome["err"]
    whole, operations = kept(tmp_path / "whole"), outcome["operations"]
    assert operations > 30
    for operation in range(1, operations + 1, 3):
        run = tmp_path / str(operation)
        outcome = fork(run, [*words, "--out", run], operation=operation)
        assert outcome["code"] == -signal.SIGKILL
        check(fork, run, words, whole)


@pytest.mark.parametrize("size", [60, 700, 2000, 5000])
def test_a_disk_that_fills_is_one_line_and_nothing_is_lost(size: int, tmp_path: Path, fork: Fork) -> None:
    words = ["embed", "cbow", two_topics(tmp_path / "text.txt", 300), *HOW]
    assert fork(tmp_path / "whole", [*words, "--out", tmp_path / "whole"])["code"] == 0
    run = tmp_path / "run"
    outcome = fork(run, [*words, "--out", run], full=size)
    assert outcome["code"] == 2
    complaint = outcome["err"].strip().split("\n")[-1]
    assert complaint.startswith("peephole: ")
    assert "file too large" in complaint
    assert not list(run.rglob("*partial*"))
    check(fork, run, words, kept(tmp_path / "whole"))
