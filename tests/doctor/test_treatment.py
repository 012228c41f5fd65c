"""A cure is tried on a run of its own, beside the run as it was, and what was done is not done again."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.doctor.finding import Cure, Finding
from peephole.doctor.run_case import load_any
from peephole.doctor.treatment import treat
from peephole.errors import InputError
from peephole.tasks.text.model import TextModel
from peephole.train.contract import Listener


def finding(**changes: Any) -> Finding:
    return Finding("learning rate too low", 0.9, 0.9, "So.", {}, "Thus.", Cure("Take larger steps.", changes))


class Counting(Listener):
    """Counts the steps that were taken."""

    def __init__(self) -> None:
        self.steps = 0

    def on_step(self, row: dict[str, Any], total: int | None) -> None:
        self.steps += 1


@pytest.fixture
def text(trained: Path, tmp_path: Path) -> TextModel:
    """A copy of a run that learned a little, whose text is no longer where it was."""
    shutil.copytree(trained, tmp_path / "run")
    model = load_any(tmp_path / "run")
    assert isinstance(model, TextModel)
    return model


def test_a_text_run_is_treated_with_its_own_tokens(text: TextModel, tmp_path: Path) -> None:
    folder, heard = tmp_path / "run" / "treatment", Counting()
    treated = treat(text, finding(learning_rate=1e-5, hidden_size=8), folder, listener=heard)
    assert heard.steps == 60  # the run had as many, so that it need not be trained again
    best = min(row["held_out"] for row in text.run.read_history() if "held_out" in row)
    assert (treated.steps, treated.before) == (60, best)
    assert not treated.improved  # it was no cure
    assert "not lower" in treated.verdict
    other = load_any(treated.folder)
    assert isinstance(other, TextModel)
    assert (other.task.training.learning_rate, other.task.model.hidden_size) == (1e-5, 8)
    assert other.task.data == text.task.data

    again = treat(text, finding(learning_rate=1e-5, hidden_size=8), folder, listener=heard)
    assert again == treated
    assert heard.steps == 60


def test_one_that_was_stopped_goes_on(text: TextModel, tmp_path: Path) -> None:
    class Stopping(Counting):
        def on_step(self, row: dict[str, Any], total: int | None) -> None:
            super().on_step(row, total)
            if self.steps == 20:
                raise KeyboardInterrupt

    folder = tmp_path / "treatment"
    with pytest.raises(KeyboardInterrupt):
        treat(text, finding(learning_rate=0.01), folder, listener=Stopping())
    assert "after" not in (folder / "rows.jsonl").read_text()
    treated = treat(text, finding(learning_rate=0.01), folder)
    assert math.isfinite(treated.after)


def test_both_are_trained_where_time_is_short(text: TextModel, tmp_path: Path) -> None:
    heard = Counting()
    treated = treat(text, finding(learning_rate=0.01), tmp_path / "treatment", minutes=1e-5, listener=heard)
    assert heard.steps == 2 * treated.steps < 60


def test_a_problem_is_treated_without_its_static_net(cli: Callable[..., Any], tmp_path: Path) -> None:
    cli("train", "recall", "--lag", 9, "--steps", 5, "--hidden-size", 8, "--out", tmp_path / "run")
    treated = treat(load_any(tmp_path / "run"), finding(learning_rate=0.02, init="orthogonal"), tmp_path / "treatment")
    assert math.isfinite(treated.before)
    assert math.isfinite(treated.after)
    assert not (treated.folder / "static").exists()


def test_a_cure_that_dies_is_none(text: TextModel, tmp_path: Path) -> None:
    treated = treat(text, finding(learning_rate=1e38, clip_norm=None), tmp_path / "treatment")
    assert treated.after == math.inf
    assert treated.as_dict()["after"] is None
    assert "it died" in treated.verdict


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({}, "not a setting, nothing to try: Take larger steps"),
        ({"wings": 4}, "wings: no setting of this task"),
        ({"learning_rate": -1.0}, "--learning-rate is -1.0; expected more than 0"),
    ],
)
def test_what_cannot_be_tried(text: TextModel, tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        treat(text, finding(**changes), tmp_path / "treatment")


def test_data_that_is_gone(text: TextModel, tmp_path: Path) -> None:
    shutil.rmtree(text.run.data_folder)
    with pytest.raises(InputError, match="missing from the corpus"):
        treat(text, finding(learning_rate=0.01), tmp_path / "treatment")
