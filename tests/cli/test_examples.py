"""Tasks on people's own sequences on the command line, by the example of tagging: train, go on, measure, answer."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.cli import by_task
from peephole.tasks import DATA_TASKS

pytest.importorskip("conllu")
pytest.importorskip("sklearn")

Cli = Callable[..., Any]
TINY = ["--hidden-size", 6, "--embedding-size", 4, "--character-size", 3, "--character-hidden", 3, "--threads", 1]
WORDS = {"D": ("the", "a", "this"), "A": ("big", "old", "red"), "N": ("dog", "house", "tree"), "V": ("sees", "likes")}


def write(file: Path, count: int, seed: int) -> Path:
    """Sentences of a grammar, a word and its label a line."""
    choose = random.Random(seed)
    lines: list[str] = []
    for _ in range(count):
        labels = ["D", *"A" * choose.randint(0, 2), "N", "V", "D", "N"]
        lines += [*(f"{choose.choice(WORDS[label])}\t{label}" for label in labels), ""]
    file.write_text("\n".join(lines))
    return file


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagging")
    for name, count in (("train", 60), ("held-out", 6), ("test", 12)):
        write(folder / f"{name}.txt", count, count)
    (folder / "words.txt").write_text("the\nold\ndog\nsees\na\ntree\n\nthis\nhouse\n")
    return folder


@pytest.fixture(scope="module")
def trained(cli: Cli, files: Path) -> Any:
    parts = ["--held-out", files / "held-out.txt", "--test", files / "test.txt"]
    words = [*parts, "--steps", 12, "--learning-rate", 0.02, "--baseline", "--out", files / "run"]
    return cli("train", "tagging", files / "train.txt", *TINY, *words)


@pytest.fixture
def run(trained: Any, files: Path, tmp_path: Path) -> Path:
    """A copy of a run with an mlp beside it."""
    assert trained.code == 0, trained.err
    shutil.copytree(files / "run", tmp_path / "run")
    return tmp_path / "run"


def test_the_names_on_the_command_line_are_those_of_the_tasks() -> None:
    assert tuple(DATA_TASKS) == by_task.DATA_TASKS


def test_training_says_what_there_is_and_what_came_of_it(trained: Any, files: Path) -> None:
    assert trained.code == 0, trained.err
    lines = trained.err.splitlines()
    assert lines[0] == "60 sentences to train on, 6 held out, 12 to test on"
    net, mlp = (line for line in lines if "parameters" in line)
    assert net.startswith("lstm 1×6, both directions, ")
    assert mlp.startswith("mlp of 6 hidden units, no recurrence, ")
    assert sum(line.endswith("% of the steps of a batch are padding") for line in lines) == 2
    assert any("nats a word" in line and "% right" in line for line in lines)
    first, header, *rows = trained.out.splitlines()
    assert first.startswith("test: 12 sentences, ")
    assert "accuracy" in header
    assert [row.split("  ")[1] for row in rows[:3]] == ["this net", "mlp", "most frequent label"]
    assert trained.out.endswith(f"done. Next: peephole eval {files}/run    peephole predict {files}/run FILE\n")
    assert not (files / "run/report.html").exists()
    assert not (files / "run/.shards").exists()
    assert (files / "run/mlp/model.safetensors").exists()


def test_eval_measures_the_same_again(cli: Cli, run: Path, trained: Any, tmp_path: Path) -> None:
    whole = cli("eval", run).out
    assert trained.out.startswith(whole)
    with_tables = cli("eval", run, "--tables").out
    assert with_tables.startswith(whole.splitlines()[0])
    assert len(with_tables) > len(whole)
    found = json.loads(cli("eval", run, "--json").out)
    assert found["part"] == "test"
    assert set(found["others"]) == {"mlp", "most frequent label"}
    accuracy = next(iter(found["metrics"].values()))
    assert f"{accuracy:.2%}" in whole
    assert json.loads(cli("eval", run, "--part", "held-out", "--json").out)["part"] == "held out"
    assert cli("eval", run / "mlp", "--json").code == 0


def test_eval_draws_what_it_found(cli: Cli, run: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    outcome = cli("eval", run, "--out", tmp_path / "figures")
    assert outcome.code == 0, outcome.err
    assert f"figures into {tmp_path / 'figures'}" in outcome.out
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {"confusion", "reliability"}


def test_predict_answers_files_and_lines(cli: Cli, run: Path, files: Path) -> None:
    text = cli("predict", run, files / "words.txt")
    assert text.code == 0, text.err
    assert [line.split("\t")[0] for line in text.out.splitlines() if line] == [
        "the",
        "old",
        "dog",
        "sees",
        "a",
        "tree",
        "this",
        "house",
    ]
    lines = cli("predict", run, "-", stdin=(files / "words.txt").read_bytes())
    assert lines.out == text.out
    assert cli("predict", run, stdin=(files / "words.txt").read_bytes()).out == text.out
    answers = [json.loads(line) for line in cli("predict", run, files / "words.txt", "--json").out.splitlines()]
    assert [answer["words"] for answer in answers] == [["the", "old", "dog", "sees", "a", "tree"], ["this", "house"]]
    assert all(0 < confidence <= 1 for answer in answers for confidence in answer["confidences"])
    twice = cli("predict", run, files / "words.txt", files / "words.txt", "--json")
    assert [json.loads(line) for line in twice.out.splitlines()] == 2 * answers


def test_a_run_goes_on(cli: Cli, run: Path, files: Path) -> None:
    before = (run / "config.json").read_bytes()
    for words, message in (
        ((files / "train.txt",), "leave FILES away"),
        (("--hidden-size", 9), "leave --hidden-size away"),
        (("--steps", 14, "--test", files / "test.txt"), "leave --test away"),
        (("--baseline",), "leave --baseline away"),
    ):
        refused = cli("train", "tagging", *words, "--resume", run)
        assert message in refused.refusal
    assert "a run of tagging; leave 'classification' away" in cli("train", "classification", "--resume", run).refusal
    assert (run / "config.json").read_bytes() == before
    outcome = cli("train", "--resume", run, "--steps", 14)
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("going on after step 12 of 14 steps") == 2, "the mlp goes on too"
    for folder in (run, run / "mlp"):
        assert json.loads((folder / "history.jsonl").read_text().splitlines()[-1])["step"] == 14
        assert json.loads((folder / "config.json").read_text())["settings"]["training"]["steps"] == 14


def test_data_that_is_gone_is_said_and_made_again(cli: Cli, run: Path) -> None:
    want = cli("eval", run).out
    shutil.rmtree(run / "data")
    assert "its data has no part at all" in cli("eval", run).complaint
    outcome = cli("train", "--resume", run)
    assert outcome.code == 0, outcome.err
    assert cli("eval", run).out == want


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("", "no sentence in it"),
        ("the\tD\nold\n\n", "line 2"),
        ("the\tD\n\n", "can be held out"),
        (b"the\tD\nt\xe9te\tN\n\n", "utf-8"),
    ],
    ids=["missing", "empty", "malformed", "one sentence", "another encoding"],
)
def test_files_that_cannot_be_used_are_one_line_and_leave_nothing(
    cli: Cli, tmp_path: Path, content: str | bytes | None, message: str
) -> None:
    path = tmp_path / "mine.txt"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    outcome = cli("train", "tagging", path, *TINY, "--steps", 2, "--out", tmp_path / "new/run")
    assert message in outcome.refusal.lower() or message in outcome.refusal
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_answered_is_one_line(cli: Cli, run: Path, files: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    assert "no such file" in cli("predict", run, files / "none.txt").refusal
    assert "nothing to answer" in cli("predict", run, tmp_path / "empty.txt").refusal
    assert "nothing to answer" in cli("predict", run, stdin=b"").refusal
    assert "not UTF-8" in cli("predict", run, stdin=b"t\xe9te\n").refusal
    assert "- among others" in cli("predict", run, files / "words.txt", "-").refusal
    assert "expected a recurrent net" in cli("stability", run / "mlp").complaint
    assert "exists and is not empty" in cli("train", "tagging", files / "train.txt", "--out", run).refusal
    assert "no file to learn from" in cli("train", "tagging", "--out", tmp_path / "other").refusal


def test_a_one_sided_net_answers_each_word_as_it_comes(cli: Cli, files: Path, tmp_path: Path) -> None:
    """In a process of its own: the answer to a word is there before the next word is given."""
    words = ["--directions", "one", "--steps", 2, "--out", tmp_path / "run"]
    assert cli("train", "tagging", files / "train.txt", *TINY, *words).code == 0
    command = [sys.executable, "-m", "peephole", "predict", str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for word in ("the", "old", "dog"):
            process.stdin.write(word + "\n")
            process.stdin.flush()
            assert process.stdout.readline().split("\t")[0] == word
        process.stdin.close()
        assert process.wait(60) == 0
