"""Rules about what is inside the net, on nets whose fault is known, and the measurements behind them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from peephole.doctor.case import Batch, Case
from peephole.doctor.diagnose import LEAST
from peephole.doctor.examination import Examination
from peephole.doctor.finding import MEDIUM, Finding
from peephole.doctor.measuring.dependency import lags
from peephole.doctor.measuring.inside import inside
from peephole.doctor.measuring.missing import weighed
from peephole.doctor.measuring.reach import cut_by, reach
from peephole.doctor.measuring.recurrence import memory, radii
from peephole.doctor.measuring.stretch import stretch
from peephole.doctor.ranking import ranked
from peephole.doctor.rules.inside import dead_units, gates_stuck, saturated_activations
from peephole.doctor.rules.reach import dependency_beyond_horizon, window_too_short
from peephole.doctor.rules.recurrent import forget_bias_that_forgets, weights_that_blow_up, weights_that_forget
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.models.static import StaticModel
from peephole.nn.initialisation import gate_rows

RULES: dict[str, Callable[[Examination], Finding | None]] = {
    "recurrent weights that forget": weights_that_forget,
    "recurrent weights that blow up": weights_that_blow_up,
    "forget bias that forgets": forget_bias_that_forgets,
    "gates stuck": gates_stuck,
    "saturated activations": saturated_activations,
    "dead ReLU units": dead_units,
    "dependency beyond the horizon": dependency_beyond_horizon,
    "window shorter than the dependency": window_too_short,
}
SYMBOLS, ROWS = 6, 24


class Torch(nn.Module):
    """A net of torch's parts, as users write them: features in, a class or a number a step."""

    def __init__(self, kind: type[nn.RNN | nn.LSTM | nn.GRU], batch_first: bool = False, **options: Any) -> None:
        super().__init__()
        self.net = kind(SYMBOLS, 24, batch_first=batch_first, **options)  # pyright: ignore[reportArgumentType]
        self.head = nn.Linear(24, SYMBOLS)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.net(nn.functional.one_hot(inputs, SYMBOLS).float())[0])


def ours(cell: str, **options: Any) -> SequenceModel:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"layers": 1, "hidden_size": 24, "embedding_size": 16, "dropout": 0.0, **options}
    return SequenceModel(SYMBOLS, ModelConfig(cell=cell, **settings))  # pyright: ignore[reportArgumentType]


def torchs(kind: type[nn.RNN | nn.LSTM | nn.GRU], **options: Any) -> Torch:
    torch.manual_seed(0)
    return Torch(kind, **options)


@torch.no_grad()
def planted(net: nn.Module, name: str, change: Callable[[Tensor], object]) -> nn.Module:
    for parameter, weight in net.named_parameters():
        if parameter.endswith(name):
            change(weight)
    return net


def gate(net: SequenceModel, name: str, bias: float) -> SequenceModel:
    rows = gate_rows(net.config.spec, name, net.config.hidden_size)
    planted(net, "bias_ih_l0", lambda weight: weight[rows].fill_(bias))
    return net


def symbols(steps: int, lag: int, count: int = 3) -> tuple[Batch, ...]:
    """Symbols at random, each answered `lag` steps later, when it counts."""
    generator = torch.Generator().manual_seed(1)
    batches: list[Batch] = []
    for _ in range(count):
        inputs = torch.randint(0, SYMBOLS, (steps, ROWS), generator=generator)
        weights = torch.ones(steps, ROWS)
        weights[:lag] = 0.0
        batches.append(Batch(inputs, inputs.roll(lag, 0), weights))
    return tuple(batches)


def case_of(net: nn.Module | None, steps: int = 30, lag: int = 3, **others: Any) -> Case:
    return Case(net, symbols(steps, lag), **others)


def found(case: Case) -> dict[str, Finding]:
    examination = Examination(case)
    return {name: finding for name, rule in RULES.items() if (finding := rule(examination)) is not None}


def relu_dead(net: nn.Module) -> nn.Module:
    planted(net, "bias_ih_l0", lambda bias: bias[: 3 * len(bias) // 4].fill_(-30.0))
    return net


PLANTED: list[tuple[str, Callable[[], nn.Module]]] = [
    ("recurrent weights that forget", lambda: planted(ours("rnn"), "weight_hh_l0", lambda weight: weight.mul_(0.1))),
    ("recurrent weights that forget", lambda: planted(torchs(nn.RNN), "weight_hh_l0", lambda weight: weight.mul_(0.1))),
    (
        "recurrent weights that blow up",
        lambda: planted(ours("rnn", nonlinearity="relu"), "_hh_l0", lambda w: w.mul_(2)),
    ),
    (
        "recurrent weights that blow up",
        lambda: planted(torchs(nn.RNN, nonlinearity="relu"), "weight_hh_l0", lambda weight: weight.mul_(6)),
    ),
    ("forget bias that forgets", lambda: ours("lstm", forget_bias=-4.0)),
    ("forget bias that forgets", lambda: planted(torchs(nn.LSTM), "bias_ih_l0", lambda bias: bias[24:48].fill_(-4))),
    ("forget bias that forgets", lambda: gate(ours("gru"), "z", -4.0)),
    ("gates stuck", lambda: gate(ours("lstm"), "o", -6.0)),
    ("gates stuck", lambda: gate(ours("lstm"), "i", -8.0)),
    ("gates stuck", lambda: gate(ours("gru"), "z", 8.0)),
    ("gates stuck", lambda: planted(torchs(nn.LSTM), "bias_ih_l0", lambda bias: bias[72:].fill_(-9))),
    ("saturated activations", lambda: planted(ours("rnn"), "weight_ih_l0", lambda weight: weight.mul_(100))),
    ("saturated activations", lambda: planted(torchs(nn.RNN), "weight_ih_l0", lambda weight: weight.mul_(100))),
    ("dead ReLU units", lambda: relu_dead(ours("rnn", nonlinearity="relu"))),
    ("dead ReLU units", lambda: relu_dead(torchs(nn.RNN, nonlinearity="relu"))),
]


@pytest.mark.parametrize(
    ("name", "make"), PLANTED, ids=[f"{number} {name}" for number, (name, _) in enumerate(PLANTED)]
)
def test_planted_fault_is_found_first(name: str, make: Callable[[], nn.Module]) -> None:
    net = make()
    start = copy.deepcopy(net) if isinstance(net, SequenceModel) else None
    findings = found(case_of(net, start=start))
    assert name in findings, findings
    assert findings[name].confidence >= 0.7
    ranking = ranked(tuple(findings.values()))
    assert ranking[0].name == name, findings
    evidence = findings[name].evidence
    assert evidence is None or evidence.sparkline


HEALTHY: list[Callable[[], nn.Module]] = [
    lambda: ours("lstm"),
    lambda: ours("lstm", init="torch", forget_bias=None),
    lambda: ours("lstm", init="chrono", longest=300),
    lambda: ours("gru"),
    lambda: ours("gru", init="chrono", longest=300),
    lambda: ours("rnn"),
    lambda: ours("rnn", nonlinearity="relu", init="identity"),
    lambda: ours("rnn", nonlinearity="identity"),
    lambda: ours("lstm", layers=2, peephole="diagonal", coupled=True),
    lambda: torchs(nn.LSTM),
    lambda: torchs(nn.GRU, bidirectional=False),
    lambda: torchs(nn.RNN),
    lambda: torchs(nn.RNN, nonlinearity="relu"),
]


@pytest.mark.parametrize("number", range(len(HEALTHY)))
def test_usual_start_raises_no_alarm(number: int) -> None:
    """Nothing is learnt yet, so that nothing else keeps the rules quiet."""
    net = HEALTHY[number]()
    settings = {"init": net.config.init} if isinstance(net, SequenceModel) else {}
    findings = found(case_of(net, start=copy.deepcopy(net), settings=settings))
    assert all(finding.confidence < MEDIUM for finding in findings.values()), findings


@pytest.mark.parametrize("told", [True, False])
def test_dependency_beyond_the_horizon(told: bool) -> None:
    """torch's RNN forgets within ten steps; what lies 40 steps back is asked of the task or seen in the residual."""
    case = Case(torchs(nn.RNN), symbols(60, 40, 4), dependency=40 if told else None)
    finding = found(case)["dependency beyond the horizon"]
    assert finding.confidence >= MEDIUM
    assert finding.numbers["horizon"] < 20
    assert finding.numbers["dependency"] >= 40
    assert finding.cure.changes["init"] == "chrono"


def test_window_shorter_than_the_dependency() -> None:
    """By what the task says; then by the gradient that windows of two steps leave out."""
    (whole,) = symbols(60, 8, 1)
    windows = tuple(
        Batch(whole.inputs[k : k + 4], whole.targets[k : k + 4], whole.weights[k : k + 4], None, k > 0)  # pyright: ignore
        for k in range(0, 60, 4)
    )
    told = found(Case(ours("lstm"), windows, dependency=8))["window shorter than the dependency"]
    assert told.confidence >= 0.7
    assert told.cure.changes == {"window": 32}
    generator = np.random.default_rng(0)
    stream = np.tile(generator.integers(0, SYMBOLS, 11), 400)
    cut = tuple(Batch.of(replace(batch, weights=None)) for batch in windows)
    measured = found(Case(ours("lstm", forget_bias=4.0), cut, streams=(stream, stream)))
    finding = measured["window shorter than the dependency"]
    assert finding.confidence >= MEDIUM
    assert finding.numbers["bias"] > 0.5


def test_what_is_odd_about_a_net_that_has_learnt_has_no_weight() -> None:
    """A net that answers rightly is well, whatever its gates do: it forgets, and the answer is the input."""
    net = ours("lstm", forget_bias=-6.0)
    with torch.no_grad():
        net.head.weight.zero_()
    case = case_of(net)
    assert "forget bias that forgets" in found(case)
    right = Case(_Copies(net), tuple(replace(batch, targets=batch.inputs) for batch in case.training))
    assert all(one.confidence < LEAST for one in found(right).values())


@pytest.mark.parametrize("left", [0.0, 0.03, 0.09])
def test_evidence_of_a_net_that_has_learnt_nearly_all_stays_low(left: float) -> None:
    assert weighed(1.0, left, 0.05) < MEDIUM
    assert weighed(0.9, 0.3, 0.2) == 0.9
    assert weighed(0.9, 0.1, 0.2) == 0.45


class _Copies(nn.Module):
    """Answers with its input, with a net beside it that does nothing."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: Tensor) -> Tensor:
        return 20.0 * nn.functional.one_hot(inputs, SYMBOLS).float() + self.net(inputs)[0]


class _Fixed(nn.Module):
    """Takes no other sizes than those of its training."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = ours("lstm", forget_bias=-6.0)

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.shape != (30, ROWS):
            raise RuntimeError(f"got {list(inputs.shape)}")
        return self.inner(inputs)[0]


def _nan(net: nn.Module) -> nn.Module:
    return planted(net, "weight_hh_l0", lambda weight: weight.fill_(torch.nan))


LACKING: list[Callable[[], Case]] = [
    lambda: Case(),
    lambda: Case(ours("lstm")),
    lambda: case_of(None),
    lambda: case_of(_nan(ours("lstm"))),
    lambda: case_of(_nan(ours("rnn", nonlinearity="relu")), start=ours("rnn", nonlinearity="relu")),
    lambda: case_of(nn.Sequential(nn.Embedding(SYMBOLS, 8), nn.Tanh(), nn.Linear(8, SYMBOLS))),
    lambda: Case(StaticModel(SYMBOLS, SYMBOLS, 5, 8, 1, 0, 0), symbols(5, 1)),
    lambda: case_of(ours("lstm").requires_grad_(False)),
    lambda: case_of(_Fixed()),
    lambda: Case(ours("gru"), (symbols(1, 0, 1)[0],)),
    lambda: Case(ours("rnn"), (symbols(30, 2, 1)[0].first_rows(1),)),
]


@pytest.mark.parametrize("number", range(len(LACKING)))
def test_what_is_lacking_is_passed_over(number: int) -> None:
    """No rule raises, and none alarms."""
    findings = found(LACKING[number]())
    assert all(finding.confidence < MEDIUM for finding in findings.values()) or number in (7, 8), findings


def test_nothing_is_changed() -> None:
    """Weights, gradients, modes and torch's random state are as before."""
    net = ours("lstm", dropout=0.3).train()
    net.recurrent.eval()
    before, state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    found(case_of(net, start=copy.deepcopy(net), dependency=20))
    assert torch.equal(state, torch.get_rng_state())
    assert net.training
    assert not net.recurrent.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def linear(factor: float) -> SequenceModel:
    """A linear recurrence h ← factor · h + W x."""
    net = ours("rnn", nonlinearity="identity", init="identity")
    planted(net, "weight_hh_l0", lambda weight: weight.mul_(factor))
    return net


def test_linear_recurrence_is_measured_exactly() -> None:
    examination = Examination(Case(linear(0.5), symbols(40, 2)))
    flow = examination.measured(reach)
    assert flow is not None
    assert flow.horizon == 7  # 0.5 ** 7 is the first below 0.01
    curve = flow.flow["layer 0"]["h"]
    assert float((curve[:20] / curve[0] - 0.5 ** torch.arange(20)).abs().max()) <= 1e-5
    assert flow.beyond(2) == pytest.approx(0.25, abs=1e-3)
    remembered = examination.measured(memory)
    assert remembered is not None
    assert remembered.steps == 7
    assert remembered.radius["layer 0"] == pytest.approx(0.5, abs=1e-6)
    seen = examination.measured(inside)
    assert seen is not None
    assert seen.layers[0].gates == {}


def test_radius_of_several_taps_is_that_of_the_whole() -> None:
    """h ← 0.25 · h two steps back has time constants of ±0.5."""
    net = ours("rnn", nonlinearity="identity", taps=2)
    with torch.no_grad():
        weight = net.recurrent.get_parameter("weight_hh_l0")
        weight.zero_()
        weight[:, 24:] = 0.25 * torch.eye(24)
    assert radii(net)["layer 0"] == pytest.approx(0.5, abs=1e-6)


def test_windows_cut_what_lies_beyond_them() -> None:
    """Nothing where they hold the whole; the more the shorter they are."""
    examination = Examination(Case(linear(0.8), symbols(64, 1)))
    biases = []
    for window in (32, 8, 2):
        cut = cut_by(examination, window)
        assert cut is not None
        biases.append(cut.bias)
    assert biases[0] < biases[1] < biases[2]
    assert biases[0] < 0.2
    assert biases[2] > 0.4
    assert cut_by(examination, 64) is None


@pytest.mark.parametrize(("lag", "ends"), [(1, 1), (7, 8), (20, 32)])
def test_residual_tells_the_lag(lag: int, ends: int) -> None:
    net = ours("lstm")
    planted(net, "head.weight", lambda weight: weight.zero_())
    told = Examination(Case(net, symbols(40, lag, 4))).measured(lags)
    assert told is not None
    assert told.furthest(0.05) == min(ends, max(told.last))
    assert told.beyond(ends + 1) < 0.05


def test_products_of_features_are_seen() -> None:
    """As in the adding problem: what is asked for is a number that stood where a marker was."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(40, 200, 2, generator=generator)
    marked = torch.randint(2, 8, (200,), generator=generator)
    values[..., 1] = 0.0
    values[marked, torch.arange(200), 1] = 1.0
    targets = values[marked, torch.arange(200), :1][None]
    told = Examination(Case(_Zero(), (Batch(values, targets),))).measured(lags)
    assert told is not None
    assert told.furthest(0.3) == max(told.last)  # lags 31 to 37


class _Zero(nn.Module):
    """Answers 0, once a sequence."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.new_zeros(inputs.shape[1], 1)


def test_stretch_joins_what_is_carried() -> None:
    (whole,) = symbols(24, 1, 1)
    parts = [Batch(whole.inputs[k : k + 8], whole.targets[k : k + 8], None, None, carry=k > 0) for k in range(0, 24, 8)]
    joined = stretch(Case(None, tuple(parts)), 100, 4)
    assert joined is not None
    assert torch.equal(joined.inputs, whole.inputs[:, :4])
    alone = stretch(Case(None, tuple(replace(part, carry=False) for part in parts)), 100, 4)
    assert alone is not None
    assert alone.steps == 8
    last = stretch(Case(None, tuple(parts)), 10, 4)
    assert last is not None
    assert torch.equal(last.inputs, whole.inputs[-10:, :4])
