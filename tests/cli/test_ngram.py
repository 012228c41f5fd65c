"""`peephole ngram`: counts, perplexities, ARPA files, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Cli = Callable[..., Any]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A text with a sentence a line."""
    generator = np.random.default_rng(0)
    words = ["the", "cat", "sat", "on", "a", "mat", "."]
    lines = (" ".join(generator.choice(words, 5).tolist()) for _ in range(300))
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "text.txt"


def test_counts_measures_and_writes(cli: Cli, text: Path) -> None:
    model = text.with_name("model.arpa.gz")
    told = cli("ngram", text, "--order", 3, "--out", model)
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    assert lines[0].endswith(" words to learn from, 8 different ones")
    assert lines[1].split() == ["length", "n-grams", "off", "1", "off", "2", "off", "more"]
    assert [line.split()[0] for line in lines[2:5]] == ["1", "2", "3"]
    assert lines[5].startswith("held-out part: perplexity ")
    assert lines[6] == f"written: {model}"
    found = json.loads(cli("ngram", text, "--order", 3, "--json").out)
    assert (found["order"], found["tokens"], found["ngrams"][0]) == (3, "words", 8)
    assert found["discounts"][2]["source"] in {"modified", "single"}
    read = json.loads(cli("ngram", model, "--test", text, "--json").out)
    assert (read["order"], read["ngrams"][1:], read["discounts"]) == (3, found["ngrams"][1:], [])
    assert read["texts"][0]["tokens"] == 1800
    assert 1 < read["texts"][0]["perplexity"] < found["texts"][0]["perplexity"]
    told = cli("ngram", model, "--test", text)
    assert told.out.splitlines()[0].startswith("n-grams of words: 9 of 1, ")
    assert "text.txt: perplexity " in told.out


def test_characters_and_a_test_text(cli: Cli, text: Path) -> None:
    (text.parent / "new.txt").write_text("the dog sat .\n")
    told = cli("ngram", text, "--tokens", "char", "--order", 4, "--test", text.parent / "new.txt")
    assert told.code == 0, told.err
    assert told.out.splitlines()[-1].startswith("test part: perplexity ")
    assert "of 14 characters, line ends among them; " in told.out
    assert told.out.endswith(" without 2 unknown ones\n")


def test_what_cannot_be_used_is_refused(cli: Cli, text: Path) -> None:
    assert "no FILES to learn from" in cli("ngram").refusal
    assert "order is 9" in cli("ngram", text, "--order", 9).complaint
    assert "is no folder" in cli("ngram", text, "--out", text.parent / "gone" / "model.arpa").refusal
    (text.parent / "model.arpa").write_text("\\data\\\nngram 1=1\n\n\\1-grams:\n0.5\tone\n\n\\end\\\n")
    assert "measured alone" in cli("ngram", text.parent / "model.arpa").refusal
    assert "measured alone" in cli("ngram", text, text.parent / "model.arpa", "--test", text).refusal
    assert "line 5: log10 p is '0.5'" in cli("ngram", text.parent / "model.arpa", "--test", text).refusal
    assert "expected it with --tokens word" in cli("ngram", text, "--tokens", "char", "--words", "split").refusal
