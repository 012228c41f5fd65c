"""Every command that reads a run of text, given one over words: it works, in words, or says in one line why not."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TINY = ("--layers", 1, "--hidden-size", 12, "--embedding-size", 8, "--batch-size", 4, "--window", 16, "--threads", 1)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory, prose: Callable[..., str]) -> Path:
    """Sentences, one a line, marks apart."""
    text = re.sub(r"([.,])", r" \1", prose(12000)).replace(". ", ".\n")
    path = tmp_path_factory.mktemp("book") / "book.txt"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cli: Callable[..., Any], book: Path) -> Path:
    """A run over words that hardly learned."""
    folder = tmp_path_factory.mktemp("words") / "run"
    words = ("--steps", 12, "--watch", 6, "--evaluate-every", 6, "--learning-rate", 0.02)
    outcome = cli("train", book, "--tokens", "word", "--out", folder, *TINY, *words)
    assert outcome.code == 0, outcome.err
    return folder


def test_writing_word_by_word(run: Path, cli: Callable[..., Any]) -> None:
    cut = cli("sample", run, "--prime", "the of ", "--length", 12, "--cut")
    assert cut.code == 0, cut.err
    assert cut.out.startswith("the of")
    assert "<unk>" not in cut.out
    assert cli("sample", run, "--prime", "the of ", "--length", 12, "--cut").out == cut.out
    whole = cli("sample", run, "--prime", "the of", "--length", 12)
    assert whole.out.startswith(cut.out.rstrip("\n"))
    sentences = cli("sample", run, "--sentences", 2, "--count", 2)
    assert sentences.out.count("--- ") == 2
    found = cli("sample", run, "--prime", "the", "--beams", 3, "--length", 5, "--count", 2)
    assert "--- 1 of 2" in found.out
    assert cli("sample", run, "--beams", 3, "--sentences", 1).code == 0


def test_primes_with_words_that_training_never_saw(run: Path, cli: Callable[..., Any]) -> None:
    said = cli("sample", run, "--prime", "the zzyzx of").refusal
    assert said == (
        "the prime holds words that training never saw: 'zzyzx'; spell them as the text does, leave them out, or let "
        "each be <unk> with --unknown"
    )
    assert cli("next", run, "--prime", "the zzyzx of").refusal == said
    assert cli("sample", run, "--prime", "the zzyzx of", "--unknown", "--length", 3).out.startswith("the zzyzx of")
    assert "expected 1, the likeliest sentence" in cli("sample", run, "--beams", 2, "--sentences", 2).refusal
    assert "pass one of them" in cli("sample", run, "--length", 2, "--sentences", 2).refusal


def test_the_next_word(run: Path, cli: Callable[..., Any]) -> None:
    outcome = cli("next", run, "--prime", "the", "--top", 3)
    assert outcome.out.splitlines()[0].split() == ["probability", "bits", "word"]
    ranked = json.loads(cli("next", run, "--prime", "the", "--json").out)["next"]
    assert sum(share for _, share in ranked) == pytest.approx(1, abs=1e-5)
    assert "the other" in outcome.out


def test_scores_and_predictions_are_of_words(run: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    (tmp_path / "text.txt").write_text("the of zzyzx\nand to.")
    outcome = cli("score", run, tmp_path / "text.txt", "--format", "json")
    found = json.loads(outcome.out)
    assert found["words"] == ["the", "of", "zzyzx", "\n", "and", "to", "."]
    assert found["unknown"] == [2]
    assert len(found["bits"]) == 7
    mean = sum(found["bits"]) / 7
    assert f"7 words, {mean:.4f} bits a word, perplexity {2**mean:.2f}; 1 of them training never saw" in outcome.err
    table = cli("score", run, tmp_path / "text.txt").out.splitlines()
    assert table[0] == "position\tword\tbits"
    assert table[3].startswith("2\tzzyzx <unk>\t")
    coloured = cli("score", run, tmp_path / "text.txt", "--format", "colour").out
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == "the of zzyzx\nand to .\n"
    rows = [
        json.loads(line) for line in cli("predict", run, tmp_path / "text.txt", "--format", "json").out.splitlines()
    ]
    assert [row["word"] for row in rows] == found["words"]
    assert [row["bits"] for row in rows] == pytest.approx(found["bits"], abs=1e-4)
    assert [row["known"] for row in rows].count(False) == 1
    piped = cli("predict", run, "--top", 2, stdin=b"the of zzy")
    assert [line.split("\t")[1] for line in piped.out.splitlines()[1:]] == ["the", "of", "zzy <unk>"]


def test_what_is_told_of_the_run(run: Path, cli: Callable[..., Any]) -> None:
    facts = json.loads(cli("info", run, "--json").out)
    assert facts["vocabulary"].endswith("symbols, words, cut at spaces")
    assert facts["softmax"] == "full"
    assert "to train on" in facts["tokens"]
    rows = cli("runs", run.parent).out
    assert "ppl" in rows
    assert "words, lstm" in rows


def test_geometry_of_the_projection(run: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    outcome = cli("words", run, "the", "--count", 3, "--out", tmp_path / "words.svg")
    assert outcome.code == 0, outcome.err
    assert "one-hot vectors lie 1.414 apart" in outcome.out
    assert "\nthe: " in outcome.out
    assert (tmp_path / "words.svg").read_text().startswith("<?xml")
    assert json.loads(cli("words", run, "--json").out)["projected"]["dimensions"] == 8
    found = json.loads(cli("words", run, "the", "--json").out)
    assert len(found["nearest"]["the"]) == 10
    assert "projected" not in found  # words alone are answered alone
    assert "spelled much like it: the" in cli("words", run, "thee").refusal
    assert "--count is 0" in cli("words", run, "--count", 0).refusal


@pytest.mark.slow
def test_report_units_and_doctor(run: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    outcome = cli("report", run, "--out", tmp_path / "report.html")
    assert outcome.code == 0, outcome.err
    page = (tmp_path / "report.html").read_text()
    for said in ("bits a word", "perplexity", "held-out words", "5-gram"):
        assert said in page
    assert "bits a character" not in page
    assert cli("doctor", run).code == 0
    units = json.loads(cli("units", run, "--random", 0, "--json").out)
    assert units["words"] > 0
    assert {"capital letter", "position in the sentence"} & {
        *(one["follows"] for one in units["units"]),
        *(said.split(" (")[0] for said in units["left_out"]),
    }


@pytest.mark.slow
def test_runs_over_words_and_pieces_compare_by_words(
    run: Path, book: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    pieces = ("--tokens", "bpe", "--vocabulary", 300)
    outcome = cli("train", book, "--out", tmp_path / "pieces", *TINY, "--steps", 6, "--watch", 0, *pieces)
    assert outcome.code == 0, outcome.err
    compared = cli("compare", run, tmp_path / "pieces", "--json")
    assert compared.code == 0, compared.err
    found = json.loads(compared.out)
    assert found["unit"] == "nats a word"
    assert any("other vocabularies" in warning for warning in found["warnings"])
    held_out = {group["runs"][0]["run"]: group["held_out"] for group in found["groups"]}
    for folder in (run, tmp_path / "pieces"):
        part = json.loads((folder / "data" / "corpus.json").read_bytes())["parts"]["held_out"]
        rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        best = min(row["held_out"] for row in rows if "held_out" in row)
        assert held_out[str(folder)] == pytest.approx(best * part["tokens"] / part["words"])
    outcome = cli("train", book, "--out", tmp_path / "few", *TINY, "--steps", 6, "--tokens", "word", "--vocabulary", 30)
    assert outcome.code == 0, outcome.err
    assert "another vocabulary, so that nats a word" in cli("compare", run, tmp_path / "few").refusal


@pytest.mark.slow
def test_sweeps_and_comparisons_train_over_words(book: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    words = ("--tokens", "word", *TINY, "--steps", 4, "--watch", 0)
    outcome = cli(
        "compare", "text", book, *words, "--cells", "lstm,gru", "--seeds", 1, "--out", tmp_path / "c", "--json"
    )
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["unit"] == "nats a word"
    over = ("--over", "hidden_size=6,8", "--trials", 2, "--out", tmp_path / "s", "--json")
    swept = cli("sweep", "text", book, *words, *over)
    assert swept.code == 0, swept.err
    assert json.loads(swept.out)["unit"] == "nats a word"
    assert math.isfinite(json.loads(swept.out)["trials"][0]["held_out"])
