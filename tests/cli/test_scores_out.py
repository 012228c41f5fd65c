"""Scores as lines for people, and which task a run has."""

from pathlib import Path

import pytest

from peephole.cli.by_task import DATA_TASKS, PROBLEMS, task_of
from peephole.cli.scores_out import table_of
from peephole.runs.folder import Run
from peephole.tasks import DATA_TASKS as CLASSES
from peephole.tasks import data_task
from peephole.tasks.examples.scores import Scores, ScoreTable
from peephole.tasks.presets import PRESETS


def test_the_command_line_knows_every_task() -> None:
    assert tuple(CLASSES) == DATA_TASKS
    assert tuple(PRESETS) == PROBLEMS
    for name in DATA_TASKS:
        kind = data_task(name)
        usual = kind.defaults()
        assert usual.name == name
        assert kind.__doc__
        assert usual.training.budget_steps(10) is not None  # a preset says how long


def test_scores_are_columns_under_each_other() -> None:
    found = Scores(
        "test",
        "2 words",
        {"accuracy %": 0.5, "nats": 1.0},
        others={"mlp": {"accuracy %": 1.0}},
        tables=(ScoreTable("each label", ("label", "F1"), (("a", "1"),)),),
        notes=("nothing was left out",),
    )
    assert table_of(found).splitlines() == [
        "test: 2 words",
        "            accuracy  nats",
        "  this net    50.00%     1",
        "  mlp        100.00%",
        "nothing was left out",
    ]
    assert "each label" in table_of(found, tables=True)


def test_the_task_of_a_run_is_read_from_its_folder(tmp_path: Path) -> None:
    Run.create(tmp_path / "run").write_config("music", {})
    assert task_of(["--json", str(tmp_path / "run")]) == "music"
    assert task_of(["nowhere"]) is None
    (tmp_path / "run" / "config.json").write_text("{")
    assert task_of([str(tmp_path / "run")]) is None


@pytest.mark.parametrize("words", [["--part", "exam"]])
def test_a_part_that_there_is_not(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from peephole.cli.evaluate_examples import run

    with pytest.raises(SystemExit):
        run(["run", *words])
