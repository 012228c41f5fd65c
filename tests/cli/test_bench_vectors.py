"""`peephole bench vectors`: what it prints and writes, and bad input, which is refused before anything is measured."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.cli.bench_vectors import BenchVectors

Cli = Callable[..., Any]


def test_a_file_to_table_json_and_figure(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    pytest.importorskip("matplotlib")
    text = tmp_path / "text.txt"
    text.write_text("a rose is a rose is a rose\n" * 50)
    words = ("--kinds", "cbow", "--threads", 1, "--rounds", 1, "--size", 8)
    outcome = cli("bench", "vectors", text, *words, "--out", tmp_path / "v.json", "--plot", tmp_path / "v.svg")
    assert outcome.code == 0, outcome.err
    assert "times gensim's rate with one thread" in outcome.out
    found = json.loads((tmp_path / "v.json").read_text())
    assert found["text"] | {"name": ""} == {"name": "", "words": 400, "vocabulary": 3, "kept": found["text"]["kept"]}
    assert set(found["timed"][0]["training"]) == {"peephole 1", "gensim 1"}
    assert (tmp_path / "v.svg").read_bytes().startswith(b"<?xml")
    assert {path.name for path in tmp_path.iterdir()} == {"text.txt", "v.json", "v.svg"}


REFUSED = {
    "missing.txt": "missing.txt: no such file; expected a text, words parted by spaces",
    ".": ".: no such file",
    "--kinds glove": "unknown kind 'glove'; choose from skipgram, cbow",
    "--kinds": "no kind given; choose from skipgram, cbow",
    "--words 10": "--words is 10; expected at least 1000",
    "--size 0": "--size is 0; expected at least 1",
    "--threads 0": "--threads is 0; expected at least 1",
    "--rounds 0": "--rounds is 0; expected at least 1",
    "--minutes 0": "--minutes is 0.0; expected more than 0",
    "--out missing/v.json": "missing/v.json: cannot be written",
    "--plot figure.gif": "figures end in .png, .svg, .pdf, not in '.gif'",
}


@pytest.mark.parametrize("words", REFUSED)
def test_bad_input_is_refused(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert REFUSED[words] in cli("bench", "vectors", *words.split()).refusal
    assert list(tmp_path.iterdir()) == []


def test_the_help_is_found_and_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom peephole.cli import main\ntry:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    print({'torch', 'numpy', 'gensim'} & set(sys.modules))"
    )
    words = [sys.executable, "-c", script, "bench", "vectors", "--help"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "usage: peephole bench vectors" in said
    for option in dataclasses.fields(BenchVectors):
        assert f"--{option.name}" in said or option.name == "file"
    assert said.endswith("set()\n")
