"""`peephole embed tdnn`: a run that every command on text takes, or refuses in a line, and that goes on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
SMALL = "--hidden-size 12 --embedding-size 12 --context 3 --batch-size 8 --window 16 --warmup 5 --threads 1"
RECURRENCE = "a net without recurrence, nothing flows through time in it"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cli: Cli, prose: Callable[..., str]) -> Path:
    folder = tmp_path_factory.mktemp("tdnn") / "text"
    folder.mkdir()
    for seed, (name, length) in enumerate((("train", 20_000), ("valid", 3000), ("test", 2000))):
        (folder / f"{name}.txt").write_text(prose(length, seed).replace(".", " ."))
    settings = [*SMALL.split(), "--learning-rate", 0.02, "--watch", 20]
    outcome = cli("embed", "tdnn", folder, "--out", folder.parent / "run", "--steps", 60, "--no-report", *settings)
    assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture
def run(folder: Path) -> Path:
    return folder.parent / "run"


def test_what_works_on_the_run(run: Path, folder: Path, cli: Cli) -> None:
    measured = json.loads(cli("eval", run, "--json").out)
    assert measured["perplexity"] < 0.8 * measured["baseline_perplexities"]["unigram"]
    following = cli("next", run, "--prime", "The").out
    assert "entropy" in following
    written = cli("sample", run, "--length", 12, "--seed", 1, "--cut").out
    assert len(written.split()) >= 10
    assert written == cli("sample", run, "--length", 12, "--seed", 1, "--cut").out
    scores = cli("score", run, folder / "test.txt").out.splitlines()
    read = cli("predict", run, folder / "test.txt").out.splitlines()
    assert scores[0] == "position\tword\tbits"
    bits = [[float(line.split("\t")[2]) for line in lines[1:200]] for lines in (scores, read)]
    assert max(abs(one - other) for one, other in zip(*bits, strict=True)) <= 0.006  # read prints two digits
    assert "TDNN of 3, 12 units" in cli("info", run).out
    assert "words, tdnn of 3, 12 units" in cli("runs", folder.parent).out
    assert "one-hot vectors" in cli("words", run).out


def test_what_makes_no_sense_is_refused_in_a_line(run: Path, cli: Cli) -> None:
    for command in ("stability", "units"):
        assert cli(command, run).refusal == RECURRENCE
    assert "a net without recurrence cannot be packed" in cli("sample", run, "--weights", "int8").refusal


def test_its_report_leaves_out_what_there_is_not(run: Path, cli: Cli) -> None:
    assert cli("report", run).code == 0
    page = (run / "report.html").read_text()
    assert "h_t = tanh(d + H x_t)" in page
    assert RECURRENCE in page
    assert "What surprised it most" in page
    assert "Bengio, Ducharme, Vincent" in page
    assert "forget_bias" not in page


@pytest.mark.parametrize("direct", [False, True])
def test_stopped_and_gone_on_with_it_is_one_training(
    folder: Path, tmp_path: Path, cli: Cli, kept: Callable[[Path], Any], direct: bool
) -> None:
    words = ("embed", "tdnn", folder, *SMALL.split(), *(["--direct"] if direct else []), "--schedule", "constant")
    assert cli(*words, "--out", tmp_path / "whole", "--steps", 9).code == 0
    assert cli(*words, "--out", tmp_path / "parts", "--steps", 4).code == 0
    again = ("embed", "tdnn", "--resume", tmp_path / "parts")
    assert cli(*again, "--context", 4).refusal.endswith("leave --context away, or begin a new run")
    assert cli(*again).code == 0  # its budget is its own, and is spent
    assert cli(*again, "--steps", 7).code == 0
    assert cli("train", "--resume", tmp_path / "parts", "--steps", 9).code == 0
    ends = [kept(tmp_path / name)["model.safetensors"] for name in ("whole", "parts")]
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--context", 0], "--context is 0; expected at least 1 word"),
        (["--context", -2], "--context is -2; expected 1 to 100, or 0"),
        (["--context", 0, "--direct"], "--direct is of a net without recurrence; give --context"),
        (["--layers", 2], "--layers is 2; a net with --context has one tanh layer, expected --layers 1"),
        (["--proj-size", 4], "--proj-size is of a recurrent net"),
        (["--peephole", "diagonal"], "--peephole is of a recurrent net"),
    ],
)
def test_settings_that_do_not_go_together(words: list[Any], complaint: str, tmp_path: Path, cli: Cli) -> None:
    assert complaint in cli("embed", "tdnn", "--out", tmp_path / "run", *words).refusal
    assert not (tmp_path / "run").exists()


def test_a_recurrent_run_goes_on_elsewhere(trained: Path, cli: Cli) -> None:
    assert "a recurrent net; go on with peephole train --resume" in cli("embed", "tdnn", "--resume", trained).refusal
