"""Each command does what it is for, and says it in a form that a person and a program can read."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole._version import __version__
from peephole.tasks import load

Cli = Callable[..., Any]


def test_train_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, book: Path, cli: Cli, tiny: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("001", "002"):
        outcome = cli("train", "text", "book.txt", *tiny, "--steps", 3)
        assert outcome.code == 0, outcome.err
        assert outcome.out == f"runs/{name}: done. Next: peephole eval runs/{name}    peephole sample runs/{name}\n"
    lines = outcome.err.splitlines()
    assert lines[:3] == [
        f"2,700 characters to train on, 300 held out, {len(load('runs/001').tokenizer)} symbols",
        re.sub(r"\d+,\d+", lambda found: found[0], lines[1]),
        "3 steps",
    ]
    assert re.fullmatch(r"lstm \d×8, \d,\d{3} parameters", lines[1])
    assert re.match(r"step 3  held out \d\.\d{4} nats, \d\.\d{4} bits a character  (best so far|not better)", lines[-2])
    assert re.match(r"step 3/3 100 %  \d\.\d{3} nats .* characters/s  0 s left", lines[-1])
    assert sorted(path.name for path in (tmp_path / "runs/001").iterdir()) == [
        ".lock",
        "checkpoint",
        "config.json",
        "data",
        "history.jsonl",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_train_reads_several_files_and_folders(tmp_path: Path, prose: Callable[..., str], cli: Cli, tiny: Any) -> None:
    (tmp_path / "more").mkdir()
    for number in range(4):
        (tmp_path / f"more/{number}.txt").write_text(prose(800, number))
    (tmp_path / "more/other.md").write_text(prose(800, 9))
    (tmp_path / "one.txt").write_text(prose(800, 5))
    words = ["train", tmp_path / "one.txt", tmp_path / "more", "--suffixes", ".txt", *tiny, "--steps", 2]
    outcome = cli(*words, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    description = json.loads((tmp_path / "run/data/corpus.json").read_text())["description"]
    assert sorted(Path(file["path"]).name for file in description["files"]) == [
        "0.txt",
        "1.txt",
        "2.txt",
        "3.txt",
        "one.txt",
    ]
    assert json.loads(cli("info", tmp_path / "run", "--json").out)["text"].startswith("5 files; ")


def test_options_reach_the_run(tmp_path: Path, book: Path, cli: Cli, tiny: Any) -> None:
    words = "--cell gru --layers 1 --dropout 0 --no-carry --clip-norm None --optimizer sgd --schedule constant --seed 5"
    more = ["--separator", r".\n", "--held-out", 0.25, "--unknown", "bytes", "--steps", 2, "--window", 9]
    outcome = cli("train", book, *tiny, *words.split(), *more, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    settings = json.loads((tmp_path / "run/config.json").read_text())["settings"]
    assert settings["data"]["separator"] == ".\n"
    assert (settings["data"]["held_out"], settings["data"]["unknown"]) == (0.25, "bytes")
    assert (settings["model"]["cell"], settings["model"]["layers"], settings["model"]["hidden_size"]) == ("gru", 1, 8)
    training = settings["training"]
    assert (training["carry"], training["clip_norm"], training["optimizer"]) == (False, None, "sgd")
    assert (training["schedule"], training["seed"], training["window"]) == ("constant", 5, 9)


CELLS = {
    "--layers 1 --cell lstm --peephole full": {"peephole": "full"},
    "--layers 1 --variant NFG": {"variant": "NFG"},
    "--layers 1 --variant FGR --learned-states": {"variant": "FGR", "learned_states": True},
    "--layers 1 --cell gru --reset before --update writes": {"cell": "gru", "reset": "before", "update": "writes"},
    "--layers 1 --cell rnn --taps 2 --residual full --layer-norm": {"taps": 2, "residual": "full", "layer_norm": True},
    "--layers 1 --coupled --no-output-gate --no-bias": {"coupled": True, "output_gate": False, "bias": False},
    "--zoneout 0.1 --zoneout-cell 0.3 --recurrent-dropout 0.2 --weight-drop 0.2 --learned-states --proj-size 4": {
        "zoneout": 0.1,
        "zoneout_cell": 0.3,
        "recurrent_dropout": 0.2,
        "weight_drop": 0.2,
        "learned_states": True,
        "proj_size": 4,
    },
}


@pytest.mark.parametrize("words", CELLS)
def test_every_command_takes_every_kind_of_cell(tmp_path: Path, book: Path, cli: Cli, tiny: Any, words: str) -> None:
    run = tmp_path / "run"
    outcome = cli("train", book, *tiny, "--evaluate-every", 99, *words.split(), "--steps", 3, "--out", run)
    assert outcome.code == 0, outcome.err
    settings = json.loads((run / "config.json").read_text())["settings"]["model"]
    assert {name: settings[name] for name in CELLS[words]} == CELLS[words]
    measured = json.loads(cli("eval", run, "--json", "--no-baselines").out)
    best = min(row["held_out"] for row in load(run).run.read_history() if "held_out" in row)
    assert measured["nats_per_character"] == pytest.approx(best, rel=0.01)  # one text, not lanes of it
    sampled = cli("sample", run, "--prime", "The ", "--length", 9, "--seed", 1)
    assert sampled.code == 0, sampled.err
    assert sampled.out.startswith("The ")
    assert sampled == cli("sample", run, "--prime", "The ", "--length", 9, "--seed", 1)
    likely = json.loads(cli("next", run, "--prime", "The", "--json").out)["next"]
    assert sum(probability for _, probability in likely) == pytest.approx(1, abs=1e-5)
    (tmp_path / "a.txt").write_text("the end")
    assert cli("score", run, tmp_path / "a.txt").code == 0
    count = sum(parameter.numel() for parameter in load(run).model.parameters())
    assert f"{count:,} parameters" in json.loads(cli("info", run, "--json").out)["model"]
    outcome = cli("train", f"--resume={run}", "--steps=5")
    assert outcome.code == 0, outcome.err
    assert [row["step"] for row in load(run).run.read_history()] == [1, 2, 3, 4, 5]


def test_a_slow_cell_says_so_once(tmp_path: Path, book: Path, tiny: Any) -> None:
    """Without compiled kernels, that is; with them no cell of ours is slow."""
    words = ["train", str(book), *tiny, "--peephole", "full", "--steps", "3", "--no-report", "--out"]
    for instructions, said in (("none", 1), ("", 0)):
        command = [sys.executable, "-m", "peephole", *words, str(tmp_path / f"run{said}")]
        environment = os.environ | {"PEEPHOLE_INSTRUCTIONS": instructions}
        result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        lines = [line for line in result.stderr.splitlines() if "slow" in line]
        assert len(lines) == said
        for line in lines:
            assert line.startswith("lstm peephole=full runs on the back end reference, ")
            assert "explain_backend says more" in line


def test_a_run_from_before_there_were_variants(trained: Path, tmp_path: Path, cli: Cli) -> None:
    shutil.copytree(trained, tmp_path / "run")
    config = json.loads((tmp_path / "run/config.json").read_text())
    known = ("cell", "layers", "hidden_size", "embedding_size", "dropout", "init", "forget_bias", "longest")
    config["settings"]["model"] = {
        name: config["settings"]["model"][name] for name in (*known, "nonlinearity", "backend")
    }
    (tmp_path / "run/config.json").write_text(json.dumps(config))
    for words in (["eval"], ["sample"], ["next"]):
        old, new = cli(*words, tmp_path / "run"), cli(*words, trained)
        assert (old.code, old.out) == (0, new.out)
    outcome = cli("train", "--resume", tmp_path / "run", "--steps", 61)
    assert outcome.code == 0, outcome.err
    assert [row["step"] for row in load(tmp_path / "run").run.read_history()][-1] == 61


def test_resume_takes_a_longer_budget(tmp_path: Path, book: Path, cli: Cli, tiny: Any) -> None:
    assert cli("train", book, *tiny, "--steps", 2, "--out", tmp_path / "run").code == 0
    outcome = cli("train", f"--resume={tmp_path / 'run'}", "--steps=4")
    assert outcome.code == 0, outcome.err
    assert "going on after step 2 of 4 steps" in outcome.err
    assert [row["step"] for row in load(tmp_path / "run").run.read_history()] == [1, 2, 3, 4]


def test_eval(trained: Path, cli: Cli) -> None:
    outcome = cli("eval", trained)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "held-out text of the run: 1,999 characters"
    rows = [re.fullmatch(r"  (\S.*?) +(\d\.\d{4})", line) for line in lines[2:7]]
    assert [float(row[2]) for row in rows if row] == sorted(float(row[2]) for row in rows if row)
    assert {row[1] for row in rows if row} == {"this model", "unigram", "bigram", "5-gram", "xz"}
    assert re.fullmatch(r"this model: \d\.\d{4} nats a character, perplexity \d+\.\d{3}", lines[7])
    assert lines[8] == "n-grams and xz learned from the last 18,001 tokens of the training text"


def test_eval_as_json(trained: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "ü.txt").write_text("the ßord")
    outcome = cli("eval", trained, tmp_path / "ü.txt", "--json", "--limit", 6)
    measured = json.loads(outcome.out)
    assert outcome.out.count("\n") == 1
    assert measured["text"] == "ü.txt"
    assert (measured["characters"], measured["unknown_characters"]) == (6, 1)
    assert measured["bits_per_character"] == pytest.approx(measured["nats_per_character"] / math.log(2))
    assert set(measured["baselines"]) == {"unigram", "bigram", "5-gram", "xz"}
    assert json.loads(cli("eval", trained, "--json", "--no-baselines").out)["baselines"] is None
    assert "1 of them never seen in training" in cli("eval", trained, tmp_path / "ü.txt").out


def test_sample(trained: Path, cli: Cli) -> None:
    outcome = cli("sample", trained, "--prime", "The ", "--length", 50, "--seed", 3)
    assert outcome.out.startswith("The ")
    assert len(outcome.out) == 4 + 50 + 1
    assert cli("sample", trained, "--prime", "The ", "--length", 50, "--seed", 3) == outcome
    assert outcome.out == "The " + load(trained).sample("The ", 50, seed=3) + "\n"
    several = cli("sample", trained, "--prime", "The ", "--length", 50, "--seed", 3, "--count", 3).out
    assert several.startswith(f"--- 1 of 3\n{outcome.out}--- 2 of 3\nThe ")
    stopped = cli("sample", trained, "--length", 400, "--stop", r"\n").out
    assert stopped.count("\n") == 1
    assert len(stopped) < 400


def test_next(trained: Path, cli: Cli) -> None:
    ranked = json.loads(cli("next", trained, "--prime", "The", "--json").out)
    assert ranked["prime"] == "The"
    assert [tuple(pair) for pair in ranked["next"]] == load(trained).next("The")
    lines = cli("next", trained, "--prime", "The", "--top", 3).out.splitlines()
    assert lines[0] == "  probability    bits  character"
    for line, (symbol, probability) in zip(lines[1:4], ranked["next"], strict=False):
        words = line.split()
        assert float(words[0]) == pytest.approx(probability, abs=1e-4)
        assert float(words[1]) == pytest.approx(-math.log2(probability), abs=0.01)
        assert words[2] == {" ": "␠", "\n": "⏎"}.get(symbol, symbol)
    rest = sum(probability for _, probability in ranked["next"][3:])
    assert lines[4].split()[:4] == [f"{rest:.4f}", "the", "other", str(len(ranked["next"]) - 3)]
    entropy = -sum(p * math.log2(p) for _, p in ranked["next"])
    assert lines[5] == f"  entropy {entropy:.2f} bits"
    assert "other" not in cli("next", trained, "--top", 1000).out


def test_score(trained: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.txt").write_bytes(b"The first\r\nof")
    bits = load(trained).score_characters("The first\r\nof") / math.log(2)
    table = cli("score", trained, tmp_path / "a.txt")
    rows = [line.split("\t") for line in table.out.splitlines()]
    assert rows[0] == ["position", "character", "bits"]
    assert [row[1] for row in rows[1:]] == list("The␠first␍⏎of")
    assert [float(row[2]) for row in rows[1:]] == pytest.approx(list(bits), abs=1e-4)
    assert table.err == f"13 characters, {bits.mean():.4f} bits a character\n"
    as_json = json.loads(cli("score", trained, tmp_path / "a.txt", "--format", "json").out)
    assert as_json["text"] == "The first\r\nof"
    assert as_json["bits"] == pytest.approx(list(bits), abs=1e-6)
    piped = cli("score", trained, "-", "--format", "json", stdin=b"The first\r\nof")
    assert json.loads(piped.out) == as_json
    latin = cli("score", trained, "-", "--format", "json", "--encoding", "latin-1", stdin=b"the \xdford")
    assert json.loads(latin.out)["text"] == "the ßord"


def test_score_in_colour(trained: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.txt").write_text("The ßord")
    out = cli("score", trained, tmp_path / "a.txt", "--format", "colour").out
    found = re.findall(r"\x1b\[([\d;]+)m(.)\x1b\[0m", out)
    assert "".join(character for _, character in found) == "The ßord"
    bits = load(trained).score_characters("The ßord") / math.log(2)
    for (shade, _), each in zip(found, bits, strict=True):
        assert shade == ("32" if each < 1 else "0" if each < 3 else "33" if each < 6 else "31;1")


def test_info_of_a_run(trained: Path, cli: Cli) -> None:
    facts = json.loads(cli("info", trained, "--json").out)
    model = load(trained)
    count = sum(parameter.numel() for parameter in model.model.parameters())
    assert facts["run"] == str(trained)
    assert facts["written by"] == f"peephole {__version__}"
    assert facts["state"] == "not training"
    assert facts["model"] == f"lstm {model.task.model.layers}×16, {count:,} parameters"
    assert facts["vocabulary"] == f"{len(model.tokenizer)} symbols"
    assert facts["steps"] == 60
    assert facts["characters seen"] == 60 * 8 * 32
    best = min(row["held_out"] for row in model.run.read_history() if "held_out" in row)
    assert facts["best held out"] == f"{best:.4f} nats, {best / math.log(2):.4f} bits a character"
    assert facts["text"] == "1 files; 18,000 characters to train on, 2,000 held out by position"
    lines = cli("info", trained).out
    assert all(str(value).splitlines()[0] in lines for value in facts.values())


def test_info_of_a_run_without_its_text(trained: Path, tmp_path: Path, cli: Cli) -> None:
    shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/data")
    outcome = cli("info", tmp_path / "run", "--json")
    assert outcome.code == 0
    assert "text" not in json.loads(outcome.out)


def test_info_of_the_installation(cli: Cli) -> None:
    facts = json.loads(cli("info", "--json").out)
    assert facts["peephole"] == __version__
    assert "torch" in facts
    assert cli("info").code == 0


def test_runs(trained: Path, tmp_path: Path, cli: Cli) -> None:
    for name, worse in (("b", 0.5), ("deep/a", 0.0)):
        shutil.copytree(trained, tmp_path / name)
        history = tmp_path / name / "history.jsonl"
        rows = [json.loads(line) for line in history.read_text().splitlines()]
        changed = [{**row, "held_out": row["held_out"] + worse} if "held_out" in row else row for row in rows]
        history.write_text("".join(json.dumps(row) + "\n" for row in changed))
    (tmp_path / "c").mkdir()
    (tmp_path / "c/config.json").write_text("{")
    rows = [json.loads(line) for line in cli("runs", tmp_path, "--json").out.splitlines()]
    assert [row["run"] for row in rows] == ["deep/a", "b", "c"]
    assert rows[1]["held_out"] == pytest.approx(rows[0]["held_out"] + 0.5)
    assert (rows[0]["steps"], rows[2]["steps"], rows[2]["held_out"]) == (60, 0, None)
    assert "damaged" in rows[2]["model"]
    lines = cli("runs", tmp_path).out.splitlines()
    assert lines[0].split() == ["run", "held", "out", "steps", "minutes", "model"]
    assert [line.split()[0] for line in lines[1:]] == ["deep/a", "b", "c"]
    assert lines[1].split()[1:3] == [f"{rows[0]['held_out'] / math.log(2):.4f}", "bits"]
    assert lines[3].split()[1] == "-"


def test_runs_looks_into_runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "runs/first")
    assert cli("runs").out.splitlines()[1].startswith("first ")
    os.chdir(tmp_path / "runs")
    assert cli("runs", "../runs").out.splitlines()[1].startswith("first ")
