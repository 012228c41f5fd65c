"""Timescales that are known, rank correlations by hand, and gates of every kind."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import peephole
from peephole.errors import InputError
from peephole.stability.forward.persistence import autocorrelation, self_influence, time_to_fall
from peephole.stability.forward.rank_correlation import ranks, spearman
from peephole.stability.forward.timescales import timescales
from peephole.stability.recordings.recording import record
from peephole.stability.recordings.timeline import ending_together

from ...cells import MATRIX
from ..nets import lively, same, snapshot
from ..steps_by_autograd import jacobian_by_autograd


def draw(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_leaky_units_have_the_timescales_of_their_leaks() -> None:
    leaks = torch.tensor([0.2, 0.5, 0.8, 0.95], dtype=torch.float64)
    net = peephole.RNN(4, 4, nonlinearity="identity", dtype=torch.float64)
    with torch.no_grad():
        net.weight_hh_l0.copy_(leaks.diag())
        net.weight_ih_l0.copy_(torch.eye(4))
    found = timescales(net, draw(4000, 4, 4), longest=100).layers[0]
    want = -1 / leaks.log()
    assert (found.influence - want).abs().max() <= 1e-9
    assert (found.correlation / want - 1).abs().max() <= 0.15  # h is an autoregression of first order
    assert found.influence_reached.all()
    assert found.correlation_reached.all()
    assert found.kept is None
    assert found.holds is None
    assert found.influence_with_kept is None


def test_what_never_fades_is_longer_than_was_looked_at() -> None:
    net = peephole.LSTM(3, 4, forget_gate=False, dtype=torch.float64)
    with torch.no_grad():
        net.weight_hh_l0.zero_()
    found = timescales(net, draw(40, 2, 3), longest=15)
    layer = found.layers[0]
    assert not layer.influence_reached.any()
    assert (layer.influence == 15.0).all()
    assert "no gate says unit by unit how much is kept (medians 15 steps by self-influence" in found.verdict
    assert "nan" not in found.verdict


CELLS = [
    *("rnn tanh", "rnn 3 taps", "lstm", "lstm projected", "lstm NFG", "lstm CIFG", "lstm FGR"),
    *("gru", "gru writes", "gru before", "gru layer norm"),
]


@pytest.mark.parametrize("name", CELLS)
def test_self_influence_against_jacobians_by_autograd(name: str) -> None:
    both = name in ("lstm", "gru")
    net, x = lively(MATRIX[name], layers=1 + both, bidirectional=both), draw(9, 2, 3)
    for passage in record(net, x).passages:
        lstm = passage.spec.family == "lstm"
        found = self_influence(ending_together(passage), int(lstm), longest=4, starts=2)
        order = list(passage.order)
        begin = passage.sizes[0] if lstm else 0
        units = slice(begin, begin + passage.sizes[int(lstm)])
        want = torch.zeros(5, units.stop - units.start, dtype=torch.float64)
        for k in (2, 5):  # the last state that four steps follow, and one as far before as makes two starts
            for row in range(2):
                product = torch.eye(sum(passage.sizes), dtype=torch.float64)
                want[0] += 0.25
                for lag in range(1, 5):
                    product = jacobian_by_autograd(passage, order[k + lag - 1], row) @ product
                    want[lag] += product.diagonal()[units].abs() / 4
        known = ~found.isnan()
        assert known[:2].all()
        assert (found - want)[known].abs().max() <= 1e-9
        fell = (want <= math.exp(-1)).any(0)
        assert (known.all(0) | fell).all()  # followed until it fell


def test_autocorrelation_by_hand() -> None:
    x = draw(20, 3, 4) + 5.0
    alive = torch.arange(20)[:, None] < torch.tensor([20, 12, 0])
    found = autocorrelation(x, alive[..., None], 6)
    mean = x[alive].mean(0)
    for lag in range(7):
        pairs = [
            (x[t, row] - mean) * (x[t + lag, row] - mean)
            for row, steps in enumerate((20, 12, 0))
            for t in range(steps - lag)
        ]
        assert (found[lag] - torch.stack(pairs).mean(0) / (x[alive] - mean).square().mean(0)).abs().max() <= 1e-12
    assert (found[0] - 1).abs().max() <= 1e-12


def test_time_to_fall_between_lags_and_beyond() -> None:
    lags = torch.arange(12, dtype=torch.float64)
    nan = torch.nan
    curves = torch.stack(
        [
            0.8**lags,
            0.99**lags,
            torch.tensor([1.0, 0.5, -0.3, *[0.9] * 9]).double(),
            torch.tensor([1.0, 0.9, 0.8, *[nan] * 9]).double(),
            torch.full((12,), nan).double(),
        ],
        dim=1,
    )
    time, reached = time_to_fall(curves)
    assert reached.tolist() == [True, False, True, False, False]
    assert time[:2].tolist() == pytest.approx([-1 / math.log(0.8), 11.0])
    assert 1.0 < float(time[2]) < 2.0
    assert float(time[3]) == 2.0
    assert time[4].isnan()


def test_ranks_share_ties_and_their_correlation_is_pearsons() -> None:
    first = torch.tensor([3.0, 1.0, 2.0, 2.0, 5.0]).double()
    assert ranks(first).tolist() == [4.0, 1.0, 2.5, 2.5, 5.0]
    second = torch.tensor([10.0, 0.0, 7.0, 3.0, 7.0]).double()
    want = torch.corrcoef(torch.stack([ranks(first), torch.tensor([5.0, 1.0, 3.5, 2.0, 3.5]).double()]))[0, 1]
    assert spearman(first, second) == pytest.approx(float(want), abs=1e-12)
    x = draw(50)
    assert spearman(x, x.exp()) == pytest.approx(1.0)
    assert spearman(x, -(x**3)) == pytest.approx(-1.0)
    assert spearman(torch.cat([x, torch.tensor([torch.nan]).double()]), torch.cat([x, x[:1]])) == pytest.approx(1.0)
    assert spearman(x, torch.ones_like(x)) is None
    assert spearman(x[:2], x[:2]) is None


def spread_gru(update: str = "keeps") -> peephole.GRU:
    """Update gates from hardly to nearly always keeping."""
    torch.manual_seed(0)
    net = peephole.GRU(3, 40, update=update, dtype=torch.float64)
    with torch.no_grad():
        net.bias_ih_l0[40:80] = torch.linspace(-3, 3, 40)
    return net


@pytest.mark.parametrize("update", ["keeps", "writes"])
def test_units_with_active_update_gates_last(update: str) -> None:
    found = timescales(spread_gru(update), draw(200, 4, 3))
    layer = found.layers[0]
    assert layer.influence_with_kept is not None
    assert layer.correlation_with_kept is not None
    assert layer.influence_with_kept > 0.9
    assert layer.correlation_with_kept > 0.7
    assert layer.holds is True
    assert layer.chance == pytest.approx(2 / 39**0.5)
    gate = "update gate" if update == "keeps" else "1 − update gate"
    assert layer.gate == gate
    assert layer.kept is not None
    order = layer.kept.argsort()
    assert order[0] < 10 or update == "writes"
    assert (
        f"it holds that units with a long memory keep more (rank correlation with the mean {gate} +0.9" in found.verdict
    )
    assert "with the mean reset gate" in found.verdict


def test_the_claim_can_fail() -> None:
    torch.manual_seed(0)
    net = nn.GRU(2, 60, dtype=torch.float64)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.weight_ih_l0[120:] = draw(60, 2)
        net.bias_ih_l0[60:120] = 0.01 * draw(60)  # keeps alike everywhere
        slow = torch.linspace(0, 1, 60)[torch.randperm(60, generator=torch.Generator().manual_seed(1))].double()
        net.weight_hh_l0[120:] = slow.diag()  # what makes units last is that they feed themselves
        net.bias_ih_l0[:60] = 50.0
    found = timescales(net, 0.01 * draw(300, 3, 2))
    assert found.layers[0].holds is False
    assert "does not hold that units with a long memory keep more" in found.verdict or "only" in found.verdict


def test_means_of_gates_are_those_of_the_equations() -> None:
    net, x = nn.GRU(3, 4, dtype=torch.float64), draw(15, 2, 3)
    layer = timescales(net, x).layers[0]
    h = torch.cat([torch.zeros(1, 2, 4).double(), net(x)[0].detach()[:-1]])
    z = x @ net.weight_ih_l0.t() + net.bias_ih_l0 + h @ net.weight_hh_l0.t() + net.bias_hh_l0
    reset, update, _ = torch.sigmoid(z).detach().mean((0, 1)).chunk(3)
    assert layer.kept is not None
    assert layer.reset is not None
    assert (layer.kept - update).abs().max() <= 1e-12
    assert (layer.reset - reset).abs().max() <= 1e-12
    lstm = nn.LSTM(3, 4, dtype=torch.float64)
    h = torch.cat([torch.zeros(1, 2, 4).double(), lstm(x)[0].detach()[:-1]])
    z = x @ lstm.weight_ih_l0.t() + lstm.bias_ih_l0 + h @ lstm.weight_hh_l0.t() + lstm.bias_hh_l0
    forget = torch.sigmoid(z).detach().mean((0, 1)).chunk(4)[1]
    layer = timescales(lstm, x).layers[0]
    assert layer.gate == "forget gate"
    assert layer.kept is not None
    assert (layer.kept - forget).abs().max() <= 1e-12
    assert layer.reset is None


GATES = {
    "rnn tanh": "",
    "lstm": "forget gate",
    "lstm CIFG": "1 − input gate",
    "lstm NFG": "",
    "lstm without gates": "",
    "lstm projected": "forget gate",
    "gru": "update gate",
    "gru writes": "1 − update gate",
    "gru without reset": "update gate",
}


@pytest.mark.parametrize("name", GATES)
def test_gates_of_every_kind_and_figures(name: str) -> None:
    found = timescales(lively(MATRIX[name], layers=2, bidirectional=True), draw(30, 3, 3))
    assert [layer.name for layer in found.layers] == ["layer 0", "layer 0 reverse", "layer 1", "layer 1 reverse"]
    for layer in found.layers:
        assert layer.gate == GATES[name]
        assert (layer.kept is None) == (not GATES[name])
        assert (layer.reset is None) == (name not in ("gru", "gru writes"))
        for value in (layer.influence_with_kept, layer.correlation_with_kept, layer.influence_with_reset):
            assert value is None or -1 <= value <= 1
        assert len(layer.influence) == len(layer.correlation) == 5
    assert "nan" not in found.verdict
    assert found.verdict.startswith("In layer 0 ")
    figure = Figure()
    found.plot(figure.add_subplot())
    figure.canvas.draw()


def test_a_unit_that_does_not_move_is_left_out() -> None:
    net = nn.RNN(3, 5, nonlinearity="relu")
    with torch.no_grad():
        net.bias_ih_l0[2] = -100.0
    found = timescales(net, draw(40, 2, 3).float())
    layer = found.layers[0]
    assert layer.correlation.isnan().tolist() == [False, False, True, False, False]
    assert "nan" not in found.verdict
    figure = Figure()
    found.plot(figure.add_subplot())
    figure.canvas.draw()
    with torch.no_grad():
        net.bias_ih_l0.fill_(-100.0)
    assert "undefined by autocorrelation" in timescales(net, draw(40, 2, 3).float()).verdict


@pytest.mark.parametrize("name", ["rnn tanh", "lstm V", "gru"])
def test_padding_and_direction_change_nothing(name: str) -> None:
    net, x = lively(MATRIX[name], bidirectional=True), draw(24, 2, 3)
    whole = timescales(net, x)
    padded = timescales(net, {"input": torch.cat([x, draw(6, 2, 3)]), "lengths": [24, 24]})
    for layer, other in zip(whole.layers, padded.layers, strict=True):
        assert (layer.influence - other.influence).abs().max() <= 1e-9
        assert (layer.correlation - other.correlation).abs().max() <= 1e-9
    back = lively(MATRIX[name])
    with torch.no_grad():
        for weight, parameter in back.named_parameters():
            parameter.copy_(net.get_parameter(f"{weight}_reverse"))
    alone = timescales(back, x.flip(0)).layers[0]
    assert (alone.influence - whole.layers[1].influence).abs().max() <= 1e-9
    assert (alone.correlation - whole.layers[1].correlation).abs().max() <= 1e-9


def test_a_nudge_is_followed_up_to_a_border() -> None:
    net, x = lively(MATRIX["gru"], spread=0.3), draw(20, 2, 3)
    with torch.no_grad():
        net.bias_ih_l0[5:10] = 3.0  # pyright: ignore[reportIndexIssue]
    resets = torch.zeros(20, 2, dtype=torch.bool)
    resets[17, 0] = True
    (passage,) = record(net, {"input": x, "resets": resets}).passages
    found = self_influence(passage, 0, longest=6, starts=1)  # from step 14, so that row 0 counts for three steps
    alone = self_influence(record(net, x[:, 1:]).passages[0], 0, longest=6, starts=1)
    assert (found - alone)[4:].abs().max() <= 1e-12
    assert (found - alone)[1:4].abs().amax(1).min() > 1e-6


def test_the_module_stays_as_it_was_and_the_result_is_frozen() -> None:
    net = nn.LSTM(3, 4, 2, dropout=0.5)
    before, random = snapshot(net), torch.get_rng_state()
    found = timescales(net, draw(20, 2, 3).float())
    assert same(before, snapshot(net))
    assert torch.equal(random, torch.get_rng_state())
    for thing, name in ((found, "longest"), (found.layers[0], "gate")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, 3)


GOOD = draw(10, 2, 3)


@pytest.mark.parametrize(
    ("module", "batch", "options", "message"),
    [
        (nn.Linear(3, 3), GOOD, {}, "Linear has no recurrent net in it"),
        (None, GOOD[:1], {}, "2 sequences of 1 step;"),
        (None, GOOD, {"longest": 10}, "longest is 10; expected 1 to 9"),
        (None, GOOD, {"longest": 0}, "longest is 0; expected 1 to 9"),
        (None, GOOD, {"starts": 0}, "starts is 0"),
        (None, GOOD, {"layers": [-1]}, "layers are [-1]; expected numbers from 0 to 0"),
        (None, {"input": GOOD, "lengths": [1, 1]}, {}, "the longest row of the batch has 1 step; expected at least 2"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_bad_input_is_named(module: Any, batch: Any, options: dict[str, Any], message: str) -> None:
    module = peephole.GRU(3, 5, dtype=torch.float64) if module is None else module
    with pytest.raises(InputError) as caught:
        timescales(module, batch, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
