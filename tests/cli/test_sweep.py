"""`peephole sweep`: what it prints and writes, the command of the best, its budget, and what it refuses."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from peephole.cli import sweep
from peephole.cli.parsing import parse
from peephole.cli.sweep_out import train_command
from peephole.cli.train_problem import _parse as parse_problem
from peephole.cli.train_text import TrainText
from peephole.data.config import TextData
from peephole.data.problems.parity import Parity
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.language.config import LanguageConfig
from peephole.tasks import problem_objective
from peephole.tasks.config import ProblemTask, TextTask
from peephole.tasks.presets import PRESETS
from peephole.tasks.sweeping import search
from peephole.train.config import TrainingConfig
from peephole.train.contract import Interrupted
from peephole.train.curriculum import SizedTraining

OPTIONS = "--length 4 --steps 10 --embedding-size 4 --batch-size 4 --threads 1 --warmup 1 --watch 0"
TINY = OPTIONS.split()
HEADER = "held out, nats right hidden_size learning_rate steps minutes state"
OVER = ["--over", "hidden-size=3,4", "--over", "learning_rate=1e-3..1e-1:log", "--trials", "3"]


@pytest.fixture(autouse=True)
def few_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problem_objective, "HELD_OUT_SEQUENCES", 8)


def test_it_prints_writes_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["parity", *TINY, *OVER, "--out", str(tmp_path / "out")]
    assert sweep.run(words) == 0
    said = capsys.readouterr()
    verdict, header, *rows, written, again = said.out.splitlines()
    assert verdict.startswith("Of 3 trials number ")
    assert " ".join(header.split()) == HEADER
    assert sorted(row.split()[1] for row in rows) == ["1", "2", "3"]
    values = [float(row.split()[2]) for row in rows]
    assert values == sorted(values)
    assert written == f"wrote {tmp_path / 'out' / 'sweep.svg'}"
    assert (tmp_path / "out" / "sweep.svg").read_text().startswith("<?xml")
    assert said.err.splitlines()[0].startswith("1/3  hidden_size ")
    tree: dict[str, Any] = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert tree["verdict"] == verdict

    # What is printed to be pasted is the best trial, setting by setting.
    best = tree["trials"][0]
    command = shlex.split(again.removeprefix("the best again: "))
    assert command[:3] == ["peephole", "train", "parity"]
    options = parse_problem(PRESETS["parity"], command[3:])
    settings = json.loads((Path(best["folder"]) / "config.json").read_text())["settings"]
    for part in ("problem", "model", "training"):
        parsed = vars(getattr(options, part))
        resolved = vars(getattr(ProblemTask(options.problem, options.model, options.training), part))
        assert {name: resolved[name] for name in parsed} == settings[part]

    assert sweep.run([*words, "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["trials"] == tree["trials"]
    assert json.loads(told.out)["command"] == shlex.join(command)
    assert told.err.count("done before") == 3
    assert sweep.run(["parity", *TINY, "--over", "hidden_size=3,4", "--out", str(tmp_path / "few")]) == 0
    assert "note: 2 of 20 trials, these are all that there can be" in capsys.readouterr().out
    with pytest.raises(InputError, match="holds rows of other settings"):
        sweep.run([*words, "--how", "halving"])


def test_the_command_of_any_settings() -> None:
    text = TextTask(
        TextData(files=(Path("/a b.txt"),), suffixes=(".txt", ".md"), separator="\n\n"),
        LanguageConfig(cell="gru", reset="before", bias=False, forget_bias=None, dropout=0.25),
        TrainingConfig(minutes=3.0, clip_norm=None, carry=False, learning_rate=0.1 + 0.2, batch_size=3),
    )
    words = shlex.split(train_command("text", text, 77))
    parsed = parse(TrainText, "train", words[2:], "")
    assert vars(parsed.data) == vars(text.data)
    assert parsed.model == text.model
    assert parsed.training == TrainingConfig(
        steps=77, clip_norm=None, carry=False, learning_rate=0.1 + 0.2, batch_size=3
    )
    assert train_command("text", TextTask(), 5) == "peephole train --steps 5"
    preset = PRESETS["parity"]
    usual = ProblemTask(preset.problem, preset.model, preset.training)
    assert train_command("parity", usual, 2000) == "peephole train parity"


@pytest.mark.parametrize(("how", "share"), [("random", 2.0), ("halving", 3.0)])
def test_minutes_are_those_of_all_trials(
    how: str, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[Any, float | None]] = []

    def stop(task: Any, *arguments: Any) -> None:
        asked.append((task.training, arguments[4]))
        raise Interrupted(3)

    monkeypatch.setattr(search, "sweep", stop)
    out = ["--out", str(tmp_path / "out"), "--how", how]
    assert sweep.run(["copying", *OVER, "--trials", "5", "--minutes", "10", *out]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert sweep.run(["copying", *OVER, "--steps", "7", "--minutes", "10", *out]) == 130
    assert sweep.run(["copying", *OVER, *out]) == 130
    (first, in_all), (second, also), (third, none) = asked
    assert (first.steps, first.minutes, first.grow_over, in_all) == (None, share, 5000, 10.0)
    assert (second.steps, second.minutes, also) == (7, None, 10.0)
    assert (third.steps, third.minutes, none) == (PRESETS["copying"].training.steps, None, None)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["sing"], "no task 'sing'; expected text, with FILES after it, or one of tagging"),
        (["parity"], "nothing to sweep; give --over"),
        (["parity", "--over", "hiden_size=3,4"], "did you mean hidden_size"),
        (["parity", "--over", "hidden_size=4..3"], "the lower one first"),
        (["parity", *OVER, "--trials", "0"], "--trials is 0; expected at least 1"),
        (["parity", *OVER, "--minutes", "0"], "--minutes is 0.0; expected more than 0"),
        (["parity", *OVER, "--out", "x.png"], r"--out is x\.png; expected a folder"),
        (["parity", *OVER, "--devices", "2"], "--devices is 2; expected 1"),
        (["text", "none.txt", *OVER], r"none\.txt"),
    ],
)
def test_refusals(words: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=complaint):
        sweep.run(words)
    assert os.listdir(tmp_path) == []


def test_help_names_the_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"]):
        with pytest.raises(SystemExit) as stop:
            sweep.run(words)
        assert stop.value.code == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "usage: peephole sweep TASK" in said
        assert "a problem (parity, addition," in said


def test_without_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"sweeping needs optuna, .* pip install 'peephole\[compare\]'"):
        sweep.run(["parity", *TINY, *OVER, "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_other_settings_of_the_problem() -> None:
    task = ProblemTask(Parity(length=30), ModelConfig(cell="rnn"), SizedTraining(steps=5))
    assert "--length 30" in train_command("parity", task, 5)
