"""`peephole train … --vectors`: a file or a run, as wide as it is, pinned in the run's settings."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.embed.files.reading import write_vectors
from peephole.embed.vectors import Vectors

Cli = Callable[..., Any]
SMALL = ["--hidden-size", "8", "--steps", "2", "--batch-size", "2", "--threads", "1", "--watch", "0"]
TEXT = ["train", "text.txt", "--tokens", "word", "--window", "8", "--cell", "gru", *SMALL]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a text, labelled sentences and vectors of 6 numbers."""
    (tmp_path / "text.txt").write_text("the cat saw the mouse\nthe mouse saw the dog\n" * 40)
    (tmp_path / "tags.txt").write_text("the\tD\nmouse\tN\nran\tV\n\nthe\tD\ndog\tN\nran\tV\n\n" * 20)
    rows = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    write_vectors(Vectors(("the", "mouse"), rows), tmp_path / "v.txt")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun/config.json").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(run: Path) -> dict[str, Any]:
    return json.loads((run / "config.json").read_text())["settings"]


def test_a_run_is_as_wide_as_its_vectors_and_says_which_they_were(place: Path, cli: Cli) -> None:
    done = cli(*TEXT, "--vectors", "v.txt", "--frozen-vectors", "--out", "run")
    assert done.code == 0
    assert "vectors of 2 of 8 words from v.txt\n" in done.err
    found = settings(place / "run")
    assert found["model"]["embedding_size"] == 6
    assert found["model"]["vectors"] == str(place / "v.txt")
    assert found["vectors_sha256"] == hashlib.sha256((place / "v.txt").read_bytes()).hexdigest()
    (place / "v.txt").unlink()
    assert cli("train", "--resume", "run", "--steps", 4).code == 0
    assert cli("eval", "run").code == 0
    # a run is a file of vectors too
    done = cli(*TEXT, "--vectors", "run", "--out", "second")
    assert done.code == 0
    assert settings(place / "second")["model"]["embedding_size"] == 6
    assert "vectors of 6 of 8 words from run\n" in done.err  # all but <eod> and <unk>


def test_a_tagger_and_a_tdnn_take_them(place: Path, cli: Cli) -> None:
    done = cli("train", "tagging", "tags.txt", *SMALL, "--character-size", 4, "--vectors", "v.txt", "--out", "tagger")
    assert (done.code, "vectors of 1 of 3 words from v.txt\n" in done.err) == (0, True)
    assert settings(place / "tagger")["model"]["embedding_size"] == 6
    done = cli("embed", "tdnn", "text.txt", *SMALL, "--context", 3, "--vectors", "v.txt", "--out", "tdnn")
    assert (done.code, "vectors of 2 of 8 words from v.txt\n" in done.err) == (0, True)


REFUSED = {
    "--vectors v.txt --embedding-size 8": "v.txt: vectors of 6 numbers, and --embedding-size is 8; pass --embedding",
    "--vectors none.bin": "none.bin: cannot be read (no such file or directory)",
    "--vectors .": ".: is a folder; expected a file of vectors",
    "--vectors begun": "begun: a run that has no vectors yet; let it train to its end first",
    "--vectors text.txt": "text.txt: begins with 'the cat saw the mouse'; expected a line of two whole numbers",
    "--frozen-vectors": "--frozen-vectors keeps the vectors of --vectors as they are; give it too",
    "--vectors v.txt --frozen-vectors --tied True --hidden-size 6": "--frozen-vectors and --tied would fix the output",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused_is_one_line_and_leaves_nothing(place: Path, cli: Cli, words: str) -> None:
    done = cli(*TEXT, *words.split(), "--out", "run")
    assert done.code == 2
    assert REFUSED[words] in done.err
    assert done.err.count("\n") == 1
    assert not (place / "run").exists()
    assert (place / "v.txt").exists()
