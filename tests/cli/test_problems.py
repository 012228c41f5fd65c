"""The problems on the command line: train, go on, measure, answer, look inside; bad input in one line."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peephole.cli.train import PROBLEMS
from peephole.tasks import exactness, problem_objective
from peephole.tasks.presets import PRESETS

Cli = Callable[..., Any]
TINY = ["--hidden-size", "8", "--embedding-size", "4", "--batch-size", "4", "--threads", "1", "--warmup", "1"]


@pytest.fixture(scope="module", autouse=True)
def few_examples() -> Iterator[None]:
    """What is measured while training and at its end would take longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem_objective, "HELD_OUT_SEQUENCES", 8)
        patch.setattr(exactness, "usual_sizes", lambda problem: (problem.size, problem.size + 1))
        yield


@pytest.fixture(scope="module")
def run(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("problems") / "parity"
    outcome = cli("train", "parity", *TINY, "--length", 5, "--steps", 4, "--out", folder)
    assert outcome.code == 0, outcome.err
    assert f"{folder}: done. Next: peephole eval {folder}    peephole stability {folder}" in outcome.out
    assert "The static net, trained on the same examples:" in outcome.out
    first, second, *_ = outcome.err.splitlines()
    assert first == "parity, length 5; an answer that looks at nothing costs 0.6931 nats"
    assert second.startswith("rnn 1×8, ")
    return folder


def test_the_names_on_the_command_line_are_those_of_the_presets() -> None:
    assert tuple(PRESETS) == PROBLEMS


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_problem_trains_and_is_measured(name: str, cli: Cli, tmp_path: Path) -> None:
    size = f"--{PRESETS[name].problem.size_name}"
    words = ["train", name, *TINY, size, 12, "--steps", 2, "--no-static", "--out", tmp_path / "run"]
    outcome = cli(*words)
    assert outcome.code == 0, outcome.err
    measured = cli("eval", tmp_path / "run", "--sizes", 12, "--sequences", 3, "--json")
    found = json.loads(measured.out)
    assert found["net"]["problem"] == name
    assert [row["sequences"] for row in found["net"]["rows"]] == [3]
    assert found["static"] is None
    help_text = cli("train", name, "--help").out
    assert size in help_text
    assert "--curriculum" in help_text


def test_measured_at_other_sizes_with_a_figure(run: Path, cli: Cli, tmp_path: Path) -> None:
    outcome = cli("eval", run, "--sizes", 5, 8, "--sequences", 3, "--out", tmp_path / "figures")
    assert outcome.code == 0, outcome.err
    verdict, header, five, eight, wrote = outcome.out.splitlines()
    assert "3 sequences" in verdict
    assert header.split()[:3] == ["length", "sequences", "exact"]
    assert (five.split()[0], eight.split()[0]) == ("5", "8")
    assert wrote == f"wrote {tmp_path / 'figures' / 'exactness.png'}"
    assert (tmp_path / "figures/exactness.png").read_bytes().startswith(b"\x89PNG")


def test_it_answers_line_by_line(cli: Cli, tmp_path: Path) -> None:
    for name, cell, asked, answered in (
        ("parity", "gru", b"0110\n1\n\n111\n", "even\nodd\nodd\n"),
        ("addition", "rnn", b"1011+110\n1+1\n", "10001\n10\n"),
    ):
        made = cli("train", name, "--by-hand", "--cell", cell, "--out", tmp_path / name)
        assert made.code == 0, made.err
        assert "Exact on 200 sequences of every length measured up to" in made.out
        assert cli("predict", tmp_path / name, "-", stdin=asked).out == answered
    (tmp_path / "questions.txt").write_text("10\n12\n")
    outcome = cli("predict", tmp_path / "parity", tmp_path / "questions.txt")
    assert outcome.out == "odd\n"
    assert outcome.complaint == (f"{tmp_path}/questions.txt, line 2: '12': expected a string of 0 and 1, such as 10110")


def test_other_commands_take_the_run(run: Path, cli: Cli) -> None:
    facts = json.loads(cli("info", run, "--json").out)
    assert facts["task"] == "parity"
    assert facts["answers seen"] > 0
    assert "nats" in facts["best held out"]
    assert "native" in facts["back end"]
    listed = cli("runs", run.parent).out
    assert "parity, rnn 1×8" in listed
    assert "parity, static net" in listed
    assert "% right" in listed
    assert "bits" not in listed
    looked = json.loads(cli("stability", run, "--sequences", 2, "--targets", 2, "--steps", 6, "--json").out)
    assert "gradient" in looked["findings"]
    assert "nothing flows through time" in cli("stability", run / "static").refusal
    assert "a run of parity, which is no text" in cli("sample", run).refusal


def test_training_goes_on_with_a_larger_budget(run: Path, cli: Cli, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    outcome = cli("train", "--resume", again, "--steps", 6)
    assert outcome.code == 0, outcome.err
    assert "going on after step 4 of 6 steps" in outcome.err
    assert json.loads((again / "static/config.json").read_text())["settings"]["training"]["steps"] == 6
    words = ["train", "adding", *TINY, "--length", 9, "--no-static", "--out", tmp_path / "growing"]
    outcome = cli(*words, "--steps", 6)
    assert outcome.code == 0
    assert re.match(r"horizon (more than )?\d+ steps, lag 8", outcome.err)
    for budget in (("--steps", 7), ("--minutes", 0.001)):  # it grows over what it was to grow over
        outcome = cli("train", "--resume", tmp_path / "growing", *budget)
        assert outcome.code == 0, outcome.err
        settings = json.loads((tmp_path / "growing/config.json").read_text())["settings"]
        assert settings["training"]["grow_over"] == 3
    assert "leave --length away" in cli("train", "parity", "--resume", again, "--length", 9).refusal
    assert "a run of parity; leave 'addition' away" in cli("train", "addition", "--resume", again).refusal


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train parity --length 0", "--length is 0; expected at least 1"),
        ("train addition --base 1", "--base is 1; expected at least 2"),
        ("train addition --base 99", "--base is 99; expected at most 36"),
        ("train parity --steps 3 --minutes 1", "got 2 budgets (steps, minutes)"),
        ("train parity --curriculum steps --minutes 1 --out {tmp}/no --length 0", "--length is 0"),
        ("train parity --first-size 0", "--first-size is 0; expected more than 0"),
        ("train adding --by-hand --out {tmp}/no", "the weights for adding are not known; parity and addition have"),
        ("train parity --batch-size 4 --devices 3 --out {tmp}/no", "expected a multiple of the 3 processes"),
        ("train parity --length 1 --steps 0", "--steps is 0"),
        ("train adding --length 1", "--length is 1; expected at least 2"),
        ("train recall --lag -3", "--lag is -3; expected at least 1"),
        ("eval {run} --sizes 0 5", "a length of 0; expected at least 1"),
        ("eval {run} --sequences 0", "--sequences is 0; expected at least 1"),
        ("predict {run} {tmp}/missing", "missing: no such file"),
        ("predict {run} {run}", "is a directory"),
    ],
)
def test_bad_input_is_one_line(words: str, said: str, run: Path, cli: Cli, tmp_path: Path) -> None:
    refusal = cli(*words.format(run=run, tmp=tmp_path).split()).refusal
    assert said in refusal
    assert not any(tmp_path.iterdir())
