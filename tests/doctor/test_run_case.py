"""What the doctor gets of a run: all that there is of it, and a word for whatever is missing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from peephole.doctor.diagnose import diagnose_case
from peephole.doctor.run_case import read_case
from peephole.errors import InputError
from peephole.runs.folder import Run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a run that learned a little."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def test_all_of_a_text_run(run: Path) -> None:
    case = read_case(run)
    assert case.unfinished == ("it was trained for 60 steps: what is not learnt yet says little",)
    assert len(case.history) == 60
    assert case.settings["learning_rate"] == 0.02
    assert case.settings["hidden_size"] == 16
    assert case.streams is not None
    assert case.examples == len(case.streams[0]) - 1
    first, second = case.training[:2]
    assert (first.carry, second.carry) == (False, True)
    assert torch.equal(first.targets[:-1], first.inputs[1:])  # each target is the next input
    assert torch.equal(first.targets[-1], second.inputs[0])  # and windows follow each other
    counts = np.bincount(np.asarray(case.streams[0]))
    shares = counts[counts > 0] / counts.sum()
    assert case.trivial == pytest.approx(-(shares * np.log(shares)).sum())
    assert case.start is not None
    assert case.model is not None
    weights = torch.stack([parameter.norm() for parameter in case.model.parameters()])
    began = torch.stack([parameter.norm() for parameter in case.start.parameters()])
    assert not torch.allclose(weights, began)


def test_the_case_of_a_problem_knows_its_span(cli: Callable[..., object], tmp_path: Path) -> None:
    cli("train", "recall", "--lag", 9, "--steps", 3, "--no-static", "--hidden-size", 8, "--out", tmp_path / "run")
    case = read_case(tmp_path / "run")
    assert case.dependency is not None
    assert case.examples is None
    assert case.trivial is not None
    assert not any(batch.carry for batch in case.training)


def test_without_data_history_and_weights_are_looked_at(run: Path) -> None:
    shutil.rmtree(run / "data")
    case = read_case(run)
    assert len(case.unfinished) == 2
    assert "its data cannot be read" in case.unfinished[1]
    assert case.training == ()
    assert case.model is not None
    assert diagnose_case(case).unfinished == case.unfinished


@pytest.mark.parametrize("change", [{"format": 99}, {"settings": {"model": {"layers": 2, "wings": 4}}}])
def test_of_another_version_the_history_is_looked_at(run: Path, change: dict[str, object]) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | change))
    case = read_case(run)
    assert "only the history is looked at" in case.unfinished[0]
    assert case.model is None
    assert len(case.history) == 60
    diagnose_case(case)
    (run / "history.jsonl").unlink()
    with pytest.raises(InputError, match="without a history there is nothing to go by"):
        read_case(run)


def test_in_training_it_is_only_read(run: Path) -> None:
    before = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    with Run.open(run).lock():
        case = read_case(run)
        diagnose_case(case)
    assert "in training now" in case.unfinished[0]
    after = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    assert after == before


def test_one_step_is_said(run: Path) -> None:
    first = (run / "history.jsonl").read_text().splitlines()[0]
    (run / "history.jsonl").write_text(first + "\n")
    case = read_case(run)
    assert "one step of history" in case.unfinished[0]
    diagnose_case(case)


def test_a_run_without_weights_is_looked_at_as_it_was(run: Path) -> None:
    (run / "model.safetensors").unlink()
    shutil.rmtree(run / "checkpoint")
    case = read_case(run)
    assert "no weights were kept" in case.unfinished[1]
    assert case.model is not None
    diagnose_case(case)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_case(tmp_path / "nothing")
