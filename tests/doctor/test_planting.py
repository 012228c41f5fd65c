"""Faults are planted as they say, and the doctor sees of a planted run what it sees of any other."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from peephole.doctor.finding import CAUSES
from peephole.doctor.planting.examples import ProblemSource, TextSource
from peephole.doctor.planting.faults import PLANTINGS, STRENGTHS, Fault, plan_of
from peephole.doctor.planting.model import PlantedModel, joined
from peephole.doctor.planting.plan import HEALTHY, Plan
from peephole.doctor.planting.tasks import TASKS
from peephole.doctor.planting.waves import Waves
from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.train.config import TrainingConfig
from peephole.train.curriculum import SizedTraining

SHORT = {"steps": 4, "watch": 4, "evaluate_every": 2}
WORDS = "".join(chr(97 + number % 26) for number in range(30_000))
TOKENS = np.array([0, *(1 + (7 * number + number // 13) % 11 for number in range(20_000))], dtype=np.int64)


def text_source(**means: object) -> TextSource:
    """A source of a made-up text of 12 symbols."""
    return TextSource(TOKENS, 12, TrainingConfig(steps=1, batch_size=4, window=8), Plan(**means))  # pyright: ignore


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A file that is long enough."""
    path = tmp_path / "words.txt"
    path.write_text(WORDS)
    return path


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_is_planted_trained_and_seen_as_any_other_run(cause: str, tmp_path: Path, words: Path) -> None:
    task = PLANTINGS[cause].tasks[0]
    made = PlantedModel.create(task, Fault(cause, 3), 0, tmp_path / "run", [words], SHORT)
    made.fit()
    case = PlantedModel.open(Run.open(tmp_path / "run")).case()
    assert case.model is not None
    assert case.training
    assert case.held_out
    assert case.start is not None
    assert case.history
    assert not {"fault", "cause", "strength", "plan"} & case.settings.keys()
    assert all(batch.counts.shape == batch.targets.shape[:2] for batch in case.training)
    if cause == "not a number":
        assert "died" in case.history[-1]
        seen = case.training[-1]
        assert bool(seen.inputs.isnan().any()) if not seen.symbols else bool(seen.counts.isnan().any())
    else:
        assert case.history[-1]["step"] == SHORT["steps"]
        assert math.isfinite(made.healthy_measure())


def test_each_cause_has_tasks_to_write_rules_with_and_tasks_that_are_kept() -> None:
    for cause in CAUSES:
        tasks = PLANTINGS[cause].tasks
        assert any(not TASKS[name].reserved for name in tasks), cause
        assert any(TASKS[name].reserved for name in tasks), cause
        for name in tasks:
            plans = [plan_of(Fault(cause, strength), TASKS[name], 0) for strength in STRENGTHS]
            assert all(plan != HEALTHY for plan in plans), cause


def test_what_cannot_be_planted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be planted in parity"):
        PlantedModel.create("parity", Fault("inputs not normalised", 1), 0, tmp_path / "run")
    with pytest.raises(InputError, match="no cause"):
        Fault("plateau", 1)
    with pytest.raises(InputError, match="strength is 4"):
        Fault("gates stuck", 4)
    with pytest.raises(InputError, match="not a task"):
        PlantedModel.create("chess", None, 0, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_batches_are_functions_of_their_number() -> None:
    training = SizedTraining(steps=1, batch_size=4)
    for source in (ProblemSource(Waves(length=12), training, Plan(cut=5)), text_source(unrelated=0.5)):
        again = [source.batch(step) for step in (7, 3, 7)]
        assert torch.equal(again[0].inputs, again[2].inputs)
        assert not torch.equal(again[0].inputs, again[1].inputs)


def test_windows_of_a_problem_are_its_examples_in_pieces() -> None:
    training = SizedTraining(steps=1, batch_size=4)
    whole, cut = (ProblemSource(Waves(length=12), training, plan) for plan in (HEALTHY, Plan(cut=5)))
    pieces = [cut.batch(step) for step in range(3)]
    assert [piece.steps for piece in pieces] == [5, 5, 2]
    assert [piece.carry for piece in pieces] == [False, True, True]
    assert torch.equal(joined(pieces).inputs, whole.batch(0).inputs)
    assert not cut.batch(3).carry


def test_a_text_is_read_in_order_and_what_comes_next_is_wanted() -> None:
    source = text_source()
    first, second = source.batch(0), source.batch(1)
    assert not first.carry
    assert second.carry
    assert torch.equal(first.targets[:-1], first.inputs[1:])
    assert torch.equal(second.inputs[0], first.targets[-1])


def test_held_out_text_holds_training_text_where_that_was_planted() -> None:
    training, held_out = (stream.tobytes() for stream in text_source(repeated=1.0).streams)
    assert held_out in training


def test_padding_counts_and_has_a_symbol_of_its_own() -> None:
    task = TASKS["addition"]
    assert task.problem is not None
    assert isinstance(task.training, SizedTraining)
    plan = plan_of(Fault("padding in the divergence", 2), task, 0)
    batch = ProblemSource(task.problem, task.training, plan).held_out()[0]
    filled = (batch.inputs == task.problem.symbols).float() * batch.counts
    assert abs(float(filled.sum() / batch.counts.sum()) - 0.6) <= 0.1


def test_rows_leak_into_each_other_and_not_in_a_healthy_net(tmp_path: Path) -> None:
    for fault, leaks in ((None, False), (Fault("batch rows that leak", 1), True)):
        made = PlantedModel.create("parity", fault, 0, tmp_path / f"run{leaks}", changes=SHORT)
        inputs = made.source.batch(0).inputs.clone()
        before = made.model(inputs)[0]
        inputs[:, 0] = 1 - inputs[:, 0]
        after = made.model(inputs)[0]
        assert torch.equal(before[:, 1], after[:, 1]) != leaks


def test_weights_in_bfloat16_have_no_more_bits(tmp_path: Path) -> None:
    made = PlantedModel.create("adding", Fault("bfloat16 loses updates", 1), 0, tmp_path / "run", changes=SHORT)
    made.fit()
    assert all(torch.equal(value, value.bfloat16().float()) for value in made.model.parameters())


def test_a_repaired_run_is_a_healthy_one(tmp_path: Path) -> None:
    fault = Fault("nothing to predict", 3)
    healthy = PlantedModel.create("recall", None, 0, tmp_path / "healthy", changes=SHORT)
    mended = PlantedModel.create("recall", fault, 0, tmp_path / "mended", changes=SHORT, repaired=True)
    ill = PlantedModel.create("recall", fault, 0, tmp_path / "ill", changes=SHORT)
    wanted = healthy.source.batch(5).targets
    assert torch.equal(mended.source.batch(5).targets, wanted)
    assert not torch.equal(ill.source.batch(5).targets, wanted)


def test_waves_can_be_foreseen() -> None:
    problem = Waves(length=60, waves=1, noise=0.0)
    examples = problem.draw(np.random.default_rng(0), 50, 60)
    values = torch.cat([examples.inputs, examples.targets[-1:]])[..., 0].double()
    assert torch.equal(examples.inputs[1:], examples.targets[:-1])
    twice_cosine = ((values[2:] + values[:-2]) * values[1:-1]).sum(0) / values[1:-1].square().sum(0)
    error = (values[2:] - (twice_cosine * values[1:-1] - values[:-2])).abs().max()
    assert error <= 1e-4
