"""`peephole eval` of a run over words: what it prints, draws, writes as JSON and refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cli: Cli, prose: Callable[..., str]) -> Path:
    folder = tmp_path_factory.mktemp("words")
    for seed, (name, length) in enumerate((("train", 30_000), ("valid", 4000), ("test", 3000))):
        (folder / f"{name}.txt").write_text(prose(length, seed).replace(".", " ."))
    words = "--tokens word --steps 60 --hidden-size 16 --embedding-size 16 --batch-size 8 --window 16 --warmup 5"
    outcome = cli("train", "text", folder, "--out", folder / "run", *words.split(), "--learning-rate", 0.02)
    assert outcome.code == 0, outcome.err
    return folder / "run"


def test_a_table_of_words(run: Path, cli: Cli) -> None:
    outcome = cli("eval", run)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("test text of the run: ")
    assert " words" in lines[0]
    assert lines[1].split() == ["perplexity", "a", "word", "nats", "bits", "a", "character"]
    assert {line.split("  ")[1] for line in lines[2:6]} == {"this model", "unigram", "bigram", "5-gram"}
    values = [float(line.split()[-3]) for line in lines[2:6]]
    assert values == sorted(values)
    assert lines[6].startswith("this model: ")
    assert lines[7].startswith("n-grams learned from the last ")
    verdicts = [line.split(":")[0] for line in lines[8:12]]
    assert verdicts == [
        "Against the 5-gram",
        "By times seen in training",
        "By the longest context that the 5-gram knew",
        "By place in the sentence",
    ]
    assert "are <unk>, which costs what the symbol costs" in lines[12]


def test_tables_and_figures(run: Path, tmp_path: Path, cli: Cli) -> None:
    usual = cli("eval", run).out
    out = cli("eval", run, "--tables", "--out", tmp_path / "figures", "--cache", 30).out
    assert "this model with a cache of 30" in out
    assert "with a cache of 30: cache 30, cache sharpness " in out
    assert "chosen on the first " in out
    assert out.count("\n") > usual.count("\n") + 60
    for header in ("sharpness", "times in training", "words of context known", "place in the sentence", "nats ahead"):
        assert header in out
    assert f"wrote 4 figures into {tmp_path / 'figures'}" in out
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"against-the-5-gram.png", "by-times-seen-in-training.svg", "by-place-in-the-sentence.pdf"} <= names


def test_everything_is_in_the_json(run: Path, cli: Cli) -> None:
    found = json.loads(
        cli("eval", run, "--json", "--cache", 30, "--dynamic", "--dynamic-rate", 0.001, "--limit", 100).out
    )
    assert (found["unit"], found["part"], found["tokens"], found["words"]) == ("words", "test", 100, 100)
    assert found["perplexity"] == found["perplexity_per_word"]
    assert set(found["baseline_perplexities"]) == {"unigram", "bigram", "5-gram"}
    cached, dynamic, both = found["adapted"]
    assert cached["settings"]["cache"] == 30
    assert len(cached["tried"]) == 49
    assert [one["rate"] for one in dynamic["tried"]] == [0.001] * len(dynamic["tried"])
    assert both["settings"]["dynamic_window"] == 20
    against = found["against_ngrams"]
    assert against["verdict"]
    assert [len(one["groups"]) > 0 for one in against["breakdowns"]] == [True] * 3
    assert 0 < against["mixture"]["share"] < 1
    assert against["whole"]["tokens"] == 100
    held_out = json.loads(cli("eval", run, "--json", "--part", "held-out", "--no-baselines").out)
    assert (held_out["part"], held_out["against_ngrams"], held_out["baselines"]) == ("held out", None, None)


@pytest.mark.parametrize(
    ("words", "said"),
    {
        "--cache 0": "--cache is 0; expected at least 1",
        "--cache 5 --cache-share 1.5": "--cache-share is 1.5; expected a share between 0 and 1",
        "--cache 5 --cache-sharpness -1": "--cache-sharpness is -1.0; expected 0 or more",
        "--cache-share 0.1": "--cache-share sets what is not asked for; expected it with --cache 2000",
        "--cache-sharpness 0.1": "--cache-sharpness sets what is not asked for",
        "--dynamic-rate 0.1": "--dynamic-rate sets what is not asked for; expected it with --dynamic",
        "--dynamic-decay 0.1": "--dynamic-decay sets what is not asked for",
        "--dynamic-window 5": "--dynamic-window sets what is not asked for",
        "--dynamic --dynamic-window 0": "--dynamic-window is 0; expected at least 1 token",
        "--dynamic --dynamic-decay 2": "--dynamic-decay is 2.0; expected 0",
        "--dynamic --weights int8": "not int8 ones; leave --weights away",
        "--limit 0": "--limit is 0; expected at least 1 token",
    }.items(),
)
def test_what_makes_no_sense_is_refused(run: Path, cli: Cli, words: str, said: str) -> None:
    assert said in cli("eval", run, *words.split()).refusal


def test_parts_and_files_are_one_or_the_other(run: Path, trained: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.txt").write_text("the of and")
    assert (
        "--part test is of the run's text, and FILES are given"
        in cli("eval", run, tmp_path / "a.txt", "--part", "test").refusal
    )
    assert "has no test part" in cli("eval", trained, "--part", "test").refusal
    assert "a.txt: 3 words" in cli("eval", run, tmp_path / "a.txt").out
