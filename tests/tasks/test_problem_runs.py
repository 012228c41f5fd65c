"""Runs of the problems: reproducible, resumed bit for bit, with a static net beside, refused in one line."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from peephole.data.problems.adding import Adding
from peephole.data.problems.addition import Addition
from peephole.data.problems.parity import Parity
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.static import StaticModel
from peephole.runs.folder import Run
from peephole.runs.tensors import read_tensors
from peephole.tasks import load, load_text, resume
from peephole.tasks.config import ProblemTask
from peephole.tasks.problem import ProblemModel
from peephole.tasks.problem_objective import ProblemBatches
from peephole.train.curriculum import SizedTraining

from ..killing import Killed, Killer

MODEL = ModelConfig(layers=1, hidden_size=8, embedding_size=4, dropout=0.0)
TRAINING = SizedTraining(steps=6, batch_size=4, threads=1, warmup=1, checkpoint_seconds=0.0, sizes="all")


def task(**changes: Any) -> ProblemTask:
    return ProblemTask(
        changes.pop("problem", Parity(length=6)),
        changes.pop("model", MODEL),
        dataclasses.replace(TRAINING, **changes.pop("training", {})),
        **changes,
    )


def test_examples_are_the_same_for_a_seed_and_go_on_where_they_were() -> None:
    def batches(seed: int = 0, rank: int = 0, world_size: int = 1) -> ProblemBatches:
        config = dataclasses.replace(TRAINING, seed=seed)
        return ProblemBatches(Parity(length=30), config, rank, world_size)

    first = batches()
    drawn = [first.next() for _ in range(5)]
    again = batches()
    again.load_state_dict({**first.state_dict(), "step": 3})
    for batch in drawn[3:]:
        other = again.next()
        assert other.size == batch.size
        assert torch.equal(other.inputs, batch.inputs)
        assert torch.equal(other.targets, batch.targets)
    assert len({batch.size for batch in drawn}) > 1
    assert not torch.equal(batches(seed=1).next().inputs[:1], drawn[0].inputs[:1]) or batches(seed=1).next().size != (
        drawn[0].size
    )
    halves = [batches(rank=rank, world_size=2).next() for rank in (0, 1)]
    assert [half.inputs.shape[1] for half in halves] == [2, 2]
    with pytest.raises(InputError, match="--batch-size is 4; expected a multiple of the 3 processes"):
        batches(world_size=3)


@pytest.mark.parametrize("curriculum", ["none", "steps", "mastery"])
def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path, curriculum: Any) -> None:
    wanted = task(training={"curriculum": curriculum, "first_size": 2, "steps": 9})
    whole = ProblemModel.create(wanted, tmp_path / "whole")
    whole.fit()
    for step in (1, 4, 8):
        folder = tmp_path / f"stopped{step}"
        with pytest.raises(Killed):
            ProblemModel.create(wanted, folder).fit(Killer(step))
        resumed = resume(folder)
        resumed.fit()
        want, got = (read_tensors(path / "model.safetensors") for path in (tmp_path / "whole", folder))
        assert want.keys() == got.keys()
        assert all(torch.equal(want[name], got[name]) for name in want)
        rows = [[row.get("divergence") for row in run.run.read_history()] for run in (whole, resumed)]
        assert rows[0] == rows[1]


def test_it_learns_and_says_where_it_is_exact(tmp_path: Path) -> None:
    wanted = task(
        model=dataclasses.replace(MODEL, cell="rnn", hidden_size=16),
        training={"steps": 300, "batch_size": 16, "learning_rate": 0.02},
        static=True,
    )
    model = ProblemModel.create(wanted, tmp_path / "run")
    model.fit()
    static = model.static_net()
    assert static is not None
    assert isinstance(static.model, StaticModel)
    static.fit()
    measured = load(tmp_path / "run").measure((6, 7), sequences=100)  # pyright: ignore[reportAttributeAccessIssue]
    assert measured.net.exact_to == 7, measured
    assert measured.static is not None
    six, seven = measured.static.rows
    assert six.right > 0.6  # it has learnt something of what it was trained on
    assert seven.exact < 20  # the answer after its last input is chance
    assert measured.as_dict()["net"]["exact_to"] == 7
    history = model.run.read_history()
    assert {"held_out", "right", "size"} <= history[-1].keys()
    assert history[-1]["right"] == 1.0


def test_a_run_opens_as_it_was_left(tmp_path: Path) -> None:
    wanted = task(problem=Addition(length=3, base=5), model=dataclasses.replace(MODEL, init="auto"))
    model = ProblemModel.create(wanted, tmp_path / "run")
    model.fit()
    found = load(tmp_path / "run")
    assert isinstance(found, ProblemModel)
    assert found.task == wanted
    assert found.kind == "lstm 1×8"
    example = wanted.problem.draw(np.random.default_rng(0), 2, 4)
    assert torch.equal(found.model(example.inputs)[0], model.model(example.inputs)[0])
    assert found.answer("12+3").isdigit()


def test_weights_that_are_set_by_hand_are_a_run(tmp_path: Path) -> None:
    model = ProblemModel.create(task(net="by hand"), tmp_path / "run")
    found = load(tmp_path / "run")
    assert isinstance(found, ProblemModel)
    assert found.kind == "lstm 1×1, weights set by hand"
    assert found.measure((500,), 20).net.exact_to == 500
    assert found.answer("0110") == "even"
    assert not model.run.read_history()


def test_the_outlook_knows_what_is_too_far(tmp_path: Path) -> None:
    far = Parity(length=60, answers="last")
    short = ModelConfig(cell="rnn", layers=1, hidden_size=8, embedding_size=4, dropout=0.0, init="torch")
    said = ProblemModel.create(task(problem=far, model=short), tmp_path / "a").outlook()
    assert not said.reaches
    assert said.horizon.lag is not None
    assert said.verdict.startswith(f"horizon {said.horizon.lag} steps, lag {said.lag}: less than 1%")
    long = ModelConfig(layers=1, hidden_size=8, embedding_size=4, dropout=0.0, init="chrono", longest=2000)
    said = ProblemModel.create(task(problem=far, model=long), tmp_path / "b").outlook()
    assert said.reaches
    assert "more than" in said.verdict


def test_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--by-hand: the weights for adding are not known"):
        ProblemModel.create(task(problem=Adding(length=9), net="by hand"), tmp_path / "by hand")
    assert not (tmp_path / "by hand").exists()
    ProblemModel.create(task(net="by hand"), tmp_path / "run")
    with pytest.raises(InputError, match="a run of parity, which is no text"):
        load_text(tmp_path / "run")
    with pytest.raises(InputError, match="exists and is not empty"):
        ProblemModel.create(task(), tmp_path / "run")
    config = (tmp_path / "run/config.json").read_text()
    for was, becomes, said in (
        ('"length": 6', '"length": 0', "--length is 0"),
        ('"length": 6', '"size": 6', "unknown setting 'size'"),
        ('"task": "parity"', '"task": "sorting"', "a run of the task 'sorting'"),
        ('"sizes": "all"', '"sizes": 3', "sizes is 3, which it cannot be"),
    ):
        (tmp_path / "run/config.json").write_text(config.replace(was, becomes))
        with pytest.raises(InputError, match=said):
            load(tmp_path / "run")
    assert Run.open(tmp_path / "run").is_training() is False
