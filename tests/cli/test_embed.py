"""`peephole embed skipgram` and `cbow`: vectors that others open, runs that go on, refusals of one line."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors

from peephole.embed.corpus.config import CorpusConfig
from peephole.embed.learning.config import EmbedConfig
from peephole.embed.learning.run import EmbedRun

from ..embed.texts import two_topics

HOW = ("--size", 8, "--epochs", 2, "--threads", 1, "--min-count", 1)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return two_topics(tmp_path / "text.txt", 200)


@pytest.mark.parametrize("kind", ["skipgram", "cbow"])
def test_a_run_holds_vectors_that_gensim_opens(kind: str, text: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    run, written = tmp_path / "run", tmp_path / "vectors.txt"
    outcome = cli("embed", kind, text, *HOW, "--out", run, "--write", written)
    assert outcome.code == 0, outcome.err
    assert "epoch 2/2" in outcome.err
    assert "words/s" in outcome.err
    assert "peephole words" in outcome.out
    binary = KeyedVectors.load_word2vec_format(run / "vectors.bin", binary=True)
    plain = KeyedVectors.load_word2vec_format(written, binary=False)
    assert binary.vectors.shape == (19, 8)
    assert np.array_equal(binary.vectors, plain.vectors)
    assert binary.index_to_key == plain.index_to_key
    assert set(binary.index_to_key[:3]) == {"the", "of", "and"}
    again = cli("embed", kind, "--resume", run)
    assert again.code == 0
    assert np.array_equal(KeyedVectors.load_word2vec_format(run / "vectors.bin", binary=True).vectors, binary.vectors)
    listed = json.loads(cli("runs", tmp_path, "--json").out)
    assert listed["task"] == kind
    nearest = cli("words", run, "the")
    assert nearest.code == 0, nearest.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected one of"),
        (("glove",), "expected one of tdnn, cbow, skipgram"),
        (("cbow",), "no FILES"),
        (("cbow", "{text}", "--min-count", 10**6), "the most frequent, '"),
        (("cbow", "{text}", "--size", 0), "--size is 0"),
        (("cbow", "{text}", "--negatives", 0), "--negatives is 0"),
        (("cbow", "{text}", "--write", "{text}"), "belongs to the text or the run"),
        (("cbow", "--resume", "{run}", "--write", "{run}/config.json"), "belongs to the text or the run"),
        (("cbow", "{text}", "--write", "/dev/null"), "no plain file"),
        (("cbow", "{text}", "--vocabulary", 10**20), "10^12"),
        (("cbow", "{text}", "--write", "{folder}/nowhere/x.bin"), "--write in a folder that is there"),
        (("cbow", "{folder}/missing.txt"), "missing.txt: cannot be read"),
        (("skipgram", "--resume", "{run}"), "peephole embed cbow --resume"),
        (("cbow", "--resume", "{run}", "--size", 9), "leave --size away"),
        (("cbow", "{text}", "--resume", "{run}"), "leave FILES away"),
        (("cbow", "{text}", "--out", "{run}"), "exists and is not empty"),
        (("cbow", "--resume", "{folder}"), "is not a run"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing_behind(
    words: tuple[object, ...], said: str, text: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    run = tmp_path / "run"
    assert cli("embed", "cbow", text, *HOW, "--out", run).code == 0
    before = sorted(path.name for path in tmp_path.iterdir())
    given = [str(word).format(text=text, folder=tmp_path, run=run) for word in words]
    new = () if {"--resume", "--out"} & set(given) or not words else ("--out", tmp_path / "new")
    outcome = cli("embed", *given, *new)
    if not words:
        assert "tdnn" in outcome.out  # the help
        return
    assert outcome.code == 2
    assert outcome.out == ""
    assert said in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", ["eval", "sample", "report", "stability", "info", "doctor"])
def test_commands_for_nets_say_what_the_run_is(
    command: str, text: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    assert cli("embed", "cbow", text, *HOW, "--out", tmp_path / "run").code == 0
    outcome = cli(command, tmp_path / "run")
    assert outcome.code == 2
    assert "`peephole words` looks at them" in outcome.err


def test_a_refused_resume_leaves_the_run_as_it_is(text: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    run = tmp_path / "run"
    made = EmbedRun.create(run, CorpusConfig((text,), min_count=1), EmbedConfig(kind="cbow", size=8, threads=1))
    before = (run / "config.json").read_bytes()  # as Ctrl-C leaves it that comes while the text is read
    with made.run.lock():
        outcome = cli("embed", "cbow", "--resume", run)
    assert "another training is running in it" in outcome.complaint
    text.rename(tmp_path / "elsewhere.txt")
    outcome = cli("embed", "cbow", "--resume", run)
    assert "cannot be read" in outcome.complaint
    assert (run / "config.json").read_bytes() == before
    (tmp_path / "elsewhere.txt").rename(text)
    assert cli("embed", "cbow", "--resume", run).code == 0


@pytest.mark.slow
def test_ctrl_c_saves_and_going_on_ends_alike(tmp_path: Path, cli: Callable[..., Any]) -> None:
    text = two_topics(tmp_path / "text.txt", 20_000)
    how = ("--size", 50, "--epochs", 40, "--threads", 1, "--min-count", 1, "--sample", 0)
    words = [sys.executable, "-m", "peephole", "embed", "skipgram", text, *how]
    with subprocess.Popen(
        [*map(str, words), "--out", str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    ) as process:
        while not (tmp_path / "run" / "history.jsonl").exists():
            time.sleep(0.02)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "everything is saved" in said
    assert not (tmp_path / "run" / "vectors.bin").exists()
    assert cli("embed", "skipgram", "--resume", tmp_path / "run").code == 0
    assert cli("embed", "skipgram", text, *how, "--out", tmp_path / "whole").code == 0
    assert (tmp_path / "run" / "vectors.bin").read_bytes() == (tmp_path / "whole" / "vectors.bin").read_bytes()
