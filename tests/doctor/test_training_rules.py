"""Rules about the training itself, on small torch nets with one fault each, and on what is lacking."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.doctor.finding import MEDIUM, Finding
from peephole.doctor.rules import capacity, numbers, symptoms, training

Rule = Callable[[Examination], Finding | None]

CAUSES: tuple[Rule, ...] = (
    training.rate_too_high,
    training.rate_too_low,
    training.clipping_always,
    training.exploding_gradient,
    numbers.not_a_number,
    numbers.bfloat16_loses,
    capacity.too_large,
    capacity.too_small,
)
SYMPTOMS: tuple[Rule, ...] = (
    symptoms.stuck,
    symptoms.underfitting,
    symptoms.overfitting,
    symptoms.plateau,
    symptoms.oscillation,
)


class Net(nn.Module):
    def __init__(self, units: int = 16) -> None:
        super().__init__()
        self.recurrent = nn.RNN(3, units)
        self.read_out = nn.Linear(units, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.read_out(self.recurrent(inputs)[0])


def batch(seed: int, steps: int = 8, rows: int = 16) -> Batch:
    """The class of the step before is the answer, of one-hot inputs."""
    drawn = torch.randint(0, 3, (steps + 1, rows), generator=torch.Generator().manual_seed(seed))
    return Batch(nn.functional.one_hot(drawn[1:], 3).float(), drawn[:-1])


def trained(
    rate: float = 1e-2,
    steps: int = 150,
    net: nn.Module | None = None,
    optimizer: str = "adam",
    clip: float | None = 1.0,
    after: Callable[[nn.Module], None] | None = None,
    length: int = 8,
) -> Case:
    torch.manual_seed(0)
    net = Net() if net is None else net
    start = copy.deepcopy(net)
    made: Any = torch.optim.SGD if optimizer == "sgd" else torch.optim.Adam
    steps_of = made(net.parameters(), lr=rate)
    case = Case(net, tuple(batch(1000 + number, length) for number in range(4)), (batch(9, length),), start=start)
    history: list[dict[str, Any]] = []
    for step in range(1, steps + 1):
        drawn = batch(step, length)
        value = case.divergence(case.run(drawn)[0], drawn)
        steps_of.zero_grad()
        value.backward()
        norm = float(nn.utils.clip_grad_norm_(net.parameters(), clip or math.inf))
        steps_of.step()
        if after is not None:
            after(net)
        history.append({"step": step, "divergence": value.item(), "gradient_norm": norm, "learning_rate": rate})
    steps_of.zero_grad()
    settings = {"learning_rate": rate, "optimizer": optimizer, "clip_norm": clip, "momentum": 0.0}
    return Case(net, case.training, case.held_out, tuple(history), settings, start=start)


def found(case: Case, rules: tuple[Rule, ...] = CAUSES) -> dict[str, Finding]:
    """Those of medium confidence at least, by name."""
    examination = Examination(case)
    each = [rule(examination) for rule in rules]
    return {finding.name: finding for finding in each if finding is not None and finding.confidence >= MEDIUM}


def test_a_healthy_training_has_no_cause() -> None:
    assert found(trained()) == {}


def test_learning_rates_are_found_and_cured_in_the_right_direction() -> None:
    low = found(trained(1e-4))["learning rate too low"]
    high = found(trained(1.0))["learning rate too high"]
    assert low.cure.changes["learning_rate"] >= 5e-4
    assert high.cure.changes["learning_rate"] <= 0.2


def test_a_limit_below_all_gradients_is_found() -> None:
    finding = found(trained(0.3, optimizer="sgd", clip=0.002))["clipping on every step"]
    assert finding.numbers["clipped"] >= 0.98
    assert 0.02 <= finding.cure.changes["clip_norm"] <= 10


def test_the_same_limit_does_adam_no_harm() -> None:
    assert found(trained(clip=0.002)) == {}


def test_an_exploding_gradient_is_found() -> None:
    torch.manual_seed(3)
    net = Net()
    with torch.no_grad():
        nn.init.orthogonal_(net.recurrent.get_parameter("weight_hh_l0")).mul_(6.0)
        net.recurrent.get_parameter("weight_ih_l0").mul_(0.05)
    case = trained(1e-3, 60, net, clip=None, length=30)
    finding = found(case)["exploding gradient"]
    assert finding.numbers["growth"] > 3
    assert finding.cure.changes["clip_norm"] > 0


def test_weights_kept_in_bfloat16_lose_updates() -> None:
    def rounded(net: nn.Module) -> None:
        with torch.no_grad():
            for value in net.parameters():
                value.copy_(value.bfloat16().float())

    finding = found(trained(1e-4, after=rounded))["bfloat16 loses updates"]
    assert finding.numbers["lost"] > 0.5
    assert finding.cure.repair == "float32 weights"


@pytest.mark.parametrize("place", ["inputs", "start", "weights", "divergence"])
def test_where_a_nan_was_born_is_named(place: str) -> None:
    net, drawn = Net(), batch(0)
    start = copy.deepcopy(net)
    case = Case(net, (batch(1), drawn), (), start=start)
    with torch.no_grad():
        if place == "inputs":
            drawn.inputs[3, 5, 1] = math.nan
        elif place == "divergence":
            net.read_out.weight.fill_(3e38)
        else:
            net.recurrent.get_parameter("weight_hh_l0")[2, 2] = math.inf
        if place == "start":
            start.recurrent.get_parameter("weight_hh_l0")[2, 2] = math.nan
    said = found(case)["not a number"].says
    expected = {
        "inputs": "the inputs of training batch 2 of 2 (step 3, row 5, feature 1: nan)",
        "start": "recurrent.weight_hh_l0 before training",
        "weights": "recurrent.weight_hh_l0",
        "divergence": "module read_out",
    }[place]
    assert expected in said


def test_a_training_that_died_is_told_by_its_history_alone() -> None:
    row = {"step": 3, "died": "the divergence became nan at step 3; look", "born": "recurrent.weight_hh_l0"}
    finding = found(Case(history=({"step": 2, "divergence": 1.0}, row)))["not a number"]
    assert "recurrent.weight_hh_l0" in finding.says


def test_few_units_and_few_examples_are_told_apart() -> None:
    small = trained(net=Net(1))
    assert "net too small for the data" in found(small)
    torch.manual_seed(0)
    net, drawn = Net(64), batch(0, rows=3)
    case = Case(net, (drawn,), (batch(1, rows=64),), examples=drawn.targets.numel(), start=copy.deepcopy(net))
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    shuffled = torch.randint(0, 3, drawn.targets.shape, generator=torch.Generator().manual_seed(2))
    drawn.targets.copy_(shuffled)
    for _ in range(60):
        optimizer.zero_grad()
        case.divergence(case.run(drawn)[0], drawn).backward()
        optimizer.step()
    optimizer.zero_grad()
    assert "net too large for the data" in found(case)
    assert "overfitting" in found(case, SYMPTOMS)


def test_symptoms_of_a_net_that_learns_nothing() -> None:
    case = trained(1e-6, 60)
    assert {"stuck at the trivial baseline", "underfitting", "plateau"} <= found(case, SYMPTOMS).keys()
    assert found(trained(), SYMPTOMS) == {}


@pytest.mark.parametrize(
    "case",
    [
        Case(),
        Case(Net()),
        Case(nn.Linear(3, 3), (batch(0),), settings={"learning_rate": 0.1}),
        Case(history=({"step": 1, "divergence": 1.0, "gradient_norm": 1.0, "learning_rate": 0.1},)),
        Case(Net(), (), (batch(0),), ({"step": 1, "divergence": None},)),
    ],
)
def test_rules_do_without_what_is_lacking(case: Case) -> None:
    assert found(case) == {}
    found(case, SYMPTOMS)


def test_nothing_is_changed_by_measuring() -> None:
    case = trained(1e-4, 40)
    assert case.model is not None
    before, random = copy.deepcopy(case.model.state_dict()), torch.get_rng_state()
    case.model.train()
    found(case, CAUSES + SYMPTOMS)
    assert all(torch.equal(value, before[name]) for name, value in case.model.state_dict().items())
    assert all(value.grad is None for value in case.model.parameters())
    assert case.model.training
    assert torch.equal(torch.get_rng_state(), random)
