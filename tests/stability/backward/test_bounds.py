"""Bounds that are never broken, are reached where they can be, and say what is guaranteed."""

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import peephole
from peephole.errors import InputError
from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec
from peephole.stability.backward import ranges
from peephole.stability.backward.bounds import LayerBounds, gradient_bounds
from peephole.stability.backward.step_bounds import SLOPES, occurred
from peephole.stability.recordings.recording import record
from peephole.stability.steps import linearise

from ...cells import MATRIX
from ..nets import lively, same, snapshot

T, B = 7, 4
ROUNDING = 1 + 1e-9
DOCS = Path(__file__).parents[3] / "docs"


def draw(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def check(layer: LayerBounds) -> None:
    """Nothing measured is over its bound, step by step and along the chain, and one bound is over the other."""
    assert (layer.measured <= layer.trajectory * ROUNDING).all()
    assert (layer.trajectory <= layer.a_priori * ROUNDING).all()
    assert (layer.measured <= layer.by_eta[:, None] * ROUNDING).all()
    assert (layer.steps_measured <= layer.steps_allowed * ROUNDING).all()
    assert (layer.measured[0] == 1).all()


def states_of(net: Recurrent, scale: float) -> Tensor | tuple[Tensor, ...]:
    count = net.num_layers * net.num_directions
    drawn = tuple(scale * draw(count, B, size, seed=9) for size in net._sizes)
    return drawn if len(drawn) > 1 else drawn[0]


@pytest.mark.parametrize("spec", MATRIX.values(), ids=MATRIX)
def test_no_bound_is_broken(spec: CellSpec) -> None:
    """Small weights to huge ones, states begun anywhere, rows that end, borders, zoneout, both directions."""
    for seed, spread in enumerate((0.1, 0.5, 1.5, 6.0)):
        net = lively(spec, spread=spread)
        x = draw(T, B, 3, seed=seed) * (1 + seed)
        (layer,) = gradient_bounds(net, {"input": x, "hx": states_of(net, 2.0)}).layers
        check(layer)
        assert layer.steps_allowed.max() > 0
    net = lively(spec, 2, bidirectional=True, spread=0.7, zoneout=0.2).eval()
    batch = {"input": draw(T, B, 3), "lengths": [T, 0, 3, 5], "resets": draw(T, B) > 1.0}
    for layer in gradient_bounds(net, batch).layers:
        check(layer)


GATED = {name: spec for name, spec in MATRIX.items() if spec.family != "rnn"}


@pytest.mark.parametrize("spec", GATED.values(), ids=GATED)
def test_the_weights_bound_every_input_in_the_range_of_the_batch(
    spec: CellSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Factors that occur on other and longer batches are under those that one batch's range allows."""
    monkeypatch.setattr(ranges, "FAR", math.inf)
    by_the_weights = 0
    for spread in (0.05, 0.4, 0.8):
        net = lively(spec, spread=spread)
        corners = torch.stack([torch.full((1, 3), 2.0), torch.full((1, 3), -2.0)]).double()
        largest, assumed = ranges.possible(linearise(record(net, corners).passages[0]))
        if "largest on this batch" in assumed[-1]:  # which says nothing about others
            continue
        by_the_weights += 1
        if spec.layer_norm:  # its s is the batch's own, so that only what is behind it can be compared
            largest = dataclasses.replace(largest, gates={}, opened={})
        other = (2 * draw(10, 20, 3)).clamp(-2, 2)
        factors = occurred(linearise(record(net, other).passages[0]))
        for gate, bound in largest.gates.items():
            assert (factors.gates[gate] <= bound * ROUNDING).all(), gate
        for gate, bound in largest.opened.items():
            assert (factors.opened[gate] <= bound * ROUNDING).all(), gate
        assert (factors.kept <= largest.kept * ROUNDING).all()
        assert (factors.shown <= largest.shown * ROUNDING).all()
        assert (factors.reset <= largest.reset * ROUNDING).all()
    assert by_the_weights > 0 or not (spec.forget_gate or spec.coupled)


@pytest.mark.parametrize("sigma", [0.8, 1.0, 1.2])
def test_a_scaled_orthogonal_net_reaches_every_bound(sigma: float) -> None:
    net = peephole.RNN(3, 6, nonlinearity="identity", dtype=torch.float64, init="orthogonal")
    with torch.no_grad():
        net.weight_hh_l0.mul_(sigma)
    found = gradient_bounds(net, draw(20, B, 3))
    (layer,) = found.layers
    powers = sigma ** torch.arange(21, dtype=torch.float64)
    for curve in (layer.measured, layer.trajectory, layer.a_priori, layer.by_eta[:, None]):
        assert ((curve / powers[:, None] - 1).abs() <= 1e-9).all()
    assert found.vanishing_guaranteed == (sigma < 1)
    assert found.explosion_possible == (sigma > 1)


@pytest.mark.parametrize("nonlinearity", SLOPES)
def test_the_slope_of_every_activation(nonlinearity: str) -> None:
    """γ is reached: by the steepest point, and by softmax at (½, ½) in the direction (1, −1)."""
    net = peephole.RNN(1, 2, nonlinearity=nonlinearity, bias=False, dtype=torch.float64)
    with torch.no_grad():
        net.weight_hh_l0.copy_(torch.eye(2))
        net.weight_ih_l0.fill_(1e-9)
    (layer,) = gradient_bounds(net, torch.ones(2, 1, 1, dtype=torch.float64)).layers
    first = float(layer.steps_measured[0])
    assert abs(first - SLOPES[nonlinearity]) <= 1e-9
    assert abs(layer.growth - SLOPES[nonlinearity]) <= 1e-12


def test_softmax_is_bounded_by_its_largest_row() -> None:
    for seed in range(50):
        y = torch.softmax(3 * draw(2 + seed % 7, seed=seed), 0)
        size = torch.linalg.matrix_norm(torch.diag(y) - torch.outer(y, y), 2)
        assert size <= (2 * y * (1 - y)).max() * ROUNDING <= 0.5 * ROUNDING


def test_the_bound_of_the_simple_net_is_the_lectured_one() -> None:
    net = lively(CellSpec("rnn", nonlinearity="sigmoid"), spread=0.5)
    (layer,) = gradient_bounds(net, draw(T, B, 3)).layers
    norm = float(torch.linalg.matrix_norm(net.weight_hh_l0.detach(), 2))  # pyright: ignore
    assert abs(layer.growth - norm / 4) <= 1e-12
    assert layer.assumed == ()
    assert ((layer.a_priori / (norm / 4) ** torch.arange(T + 1.0).double()[:, None] - 1).abs() <= 1e-9).all()


def test_under_the_bound_it_vanishes_for_every_net() -> None:
    for seed in range(8):
        net = lively(CellSpec("rnn"))
        with torch.no_grad():
            net.weight_hh_l0.copy_(draw(5, 5, seed=seed))  # pyright: ignore
            net.weight_hh_l0.mul_(0.8 / torch.linalg.matrix_norm(net.weight_hh_l0, 2))  # pyright: ignore
        found = gradient_bounds(net, 0.01 * draw(40, B, 3, seed=seed))
        assert found.vanishing_guaranteed
        assert found.layers[0].measured[-1].max() <= 0.8**40 * ROUNDING


def test_over_the_bound_it_may_vanish_or_explode() -> None:
    """‖W‖ > 1/γ in all three; the product of one that is not normal vanishes, even where nothing saturates."""
    for matrix, vanishes in (([[0.5, 4.0], [0.0, 0.5]], True), ([[0.9, 0.0], [0.0, 1.1]], False)):
        net = peephole.RNN(3, 2, nonlinearity="identity", dtype=torch.float64)
        with torch.no_grad():
            net.weight_hh_l0.copy_(torch.tensor(matrix))
        found = gradient_bounds(net, draw(60, B, 3))
        assert found.explosion_possible
        assert not found.vanishing_guaranteed
        end = float(found.layers[0].measured[-1].max())
        assert end < 1e-12 if vanishes else end > 1e2
        assert found.layers[0].measured.max() > 4 or not vanishes  # it grows first
    steep = peephole.RNN(3, 2, dtype=torch.float64)
    with torch.no_grad():
        steep.weight_hh_l0.copy_(torch.diag(torch.tensor([1.5, 1.5])))
    found = gradient_bounds(steep, 3 * draw(60, B, 3))
    assert found.explosion_possible
    assert found.layers[0].measured[-1].max() < 1e-12  # tanh is flat there


def test_the_identity_mapping_is_exactly_one() -> None:
    found = gradient_bounds(peephole.RNN(3, 5, residual="input", dtype=torch.float64), 9 * draw(T, B, 3))
    for curve in (found.layers[0].measured, found.layers[0].trajectory, found.layers[0].a_priori):
        assert torch.equal(curve, torch.ones_like(curve))
    assert not found.vanishing_guaranteed
    assert not found.explosion_possible


def test_taps_make_a_companion_matrix() -> None:
    net = lively(CellSpec("rnn", taps=3))
    (layer,) = gradient_bounds(net, draw(T, B, 3)).layers
    norms = [torch.linalg.matrix_norm(part, 2) for part in net.weight_hh_l0.detach().split(5, dim=1)]  # pyright: ignore
    want = torch.tensor([[*norms], [1, 0, 0], [0, 1, 0]], dtype=torch.float64)
    assert torch.allclose(layer.step, want)
    assert layer.states == ("h", "h_1", "h_2")


def test_an_lstm_that_forgets_vanishes_by_its_weights() -> None:
    """A closed forget gate and small weights: the only LSTM whose weights promise that gradients vanish."""
    net = peephole.LSTM(3, 5, dtype=torch.float64, variant="V")
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.mul_(0.3)
            if name.startswith("bias_ih"):
                parameter[5:10] = -3.0  # f
    (layer,) = gradient_bounds(net, draw(30, B, 3)).layers
    assert layer.growth < 0.5
    assert layer.vanishing_guaranteed
    assert layer.assumed[-1].endswith("by the weights")
    check(layer)
    with torch.no_grad():
        net.bias_ih_l0[5:10] = 6.0
    (open_one,) = gradient_bounds(net, draw(30, B, 3)).layers
    assert not open_one.vanishing_guaranteed
    assert open_one.measured[-1].max() > 0.5  # the carousel


def test_what_is_assumed_is_said() -> None:
    def assumed(spec: CellSpec, spread: float) -> str:
        return "; ".join(gradient_bounds(lively(spec, spread=spread), draw(T, B, 3)).layers[0].assumed)

    assert assumed(CellSpec("gru"), 0.5) == "inputs no larger than this batch's"
    assert assumed(CellSpec("gru", layer_norm=True), 0.5).startswith("layer norm's smallest s on this batch; inputs")
    assert assumed(CellSpec("lstm", forget_gate=False), 0.3).endswith("the weights do not bound it")
    assert re.search(r"\|c\| ≤ \S+, largest on this batch: the weights allow ", assumed(CellSpec("lstm"), 2.0))
    assert assumed(CellSpec("lstm"), 0.2).endswith("by the weights")


def test_a_border_cuts_and_an_end_keeps() -> None:
    net = lively(CellSpec("gru"))
    resets = torch.zeros(T, 2, dtype=torch.bool)
    resets[3, 0] = True
    (layer,) = gradient_bounds(net, {"input": draw(T, 2, 3), "resets": resets, "lengths": [T, 4]}).layers
    assert (layer.measured[: T - 3, 0] > 0).all()
    for curve in (layer.measured, layer.trajectory):
        assert (curve[T - 3 :, 0] == 0).all()
    for curve in (layer.measured, layer.trajectory, layer.a_priori):
        assert (curve[: T - 4 + 1, 1] == 1).all()
        assert curve[-1, 1] != 1


def test_norms_beyond_float64_and_below() -> None:
    net = peephole.RNN(2, 3, nonlinearity="identity")
    with torch.no_grad():
        net.weight_hh_l0.copy_(1e-5 * torch.eye(3))
    (layer,) = gradient_bounds(net, torch.ones(80, 1, 2)).layers
    assert layer.measured.dtype == torch.float64  # of a float32 net
    assert layer.measured[50] > 0  # 1e-250
    assert layer.measured[-1] == 0
    check(layer)
    steep = lively(CellSpec("lstm", output_activation=False), spread=30.0)
    (layer,) = gradient_bounds(steep, draw(130, 1, 3)).layers
    assert torch.isinf(layer.a_priori[-1]).all()
    check(layer)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_torch_and_peephole_alike(kind: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    theirs = kind(3, 5, num_layers=2, bidirectional=True, dropout=0.5)
    ours = peephole.from_torch(theirs)
    x, before = torch.randn(T, B, 3), snapshot(theirs)
    found, other = gradient_bounds(theirs.eval(), x), gradient_bounds(ours.eval(), x)
    assert same(before | {name: False for name in before if name.endswith("mode")}, snapshot(theirs))
    assert [layer.name for layer in found.layers] == ["layer 0", "layer 0 reverse", "layer 1", "layer 1 reverse"]
    for one, two in zip(found.layers, other.layers, strict=True):
        assert torch.equal(one.measured, two.measured)
        assert torch.equal(one.a_priori, two.a_priori)
        assert (one.measured <= one.trajectory * (1 + 1e-5)).all()


def test_the_result_is_frozen_and_says_what_it_found() -> None:
    found = gradient_bounds(lively(CellSpec("rnn"), 2, spread=0.1), draw(T, B, 3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.layers = ()  # pyright: ignore[reportAttributeAccessIssue]
    worst = max(found.layers, key=lambda layer: layer.growth)
    assert "vanishing is guaranteed" in found.verdict
    assert f"ρ(N) = {worst.growth:.3g}" in found.verdict
    assert f"was {float(worst.measured[-1].max()):.2g}, where the trajectory allows" in found.verdict
    assert "explosion is possible" in gradient_bounds(lively(CellSpec("lstm")), draw(T, B, 3)).verdict
    held = gradient_bounds(peephole.RNN(3, 5, residual="input"), draw(T, B, 3).float())
    assert "neither vanishing is guaranteed nor explosion possible" in held.verdict
    assert held.verdict.endswith(".")


def test_plots() -> None:
    ax = Figure().subplots()
    found = gradient_bounds(lively(CellSpec("lstm"), spread=0.3), draw(T, B, 3))
    found.plot(ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "measured",
        "by the trajectory",
        "η^(t−k)",
        "by the weights",
    ]
    assert ax.lines[0].get_ydata()[3] == float(found.layers[0].measured[3].max())  # pyright: ignore
    ax = Figure().subplots()
    wild = gradient_bounds(lively(CellSpec("lstm", output_activation=False), 2, spread=9.0), draw(60, B, 3))
    wild.plot(ax)
    measured = max(float(layer.measured.max()) for layer in wild.layers)
    assert ax.get_ylim()[1] <= 1e6 * measured * 1.01  # where bounds explode, what happened stays visible
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["layer 0", "layer 1", "measured", "by the trajectory", "η^(t−k)", "by the weights"]


def test_a_cell_of_ones_own_has_no_known_bound() -> None:
    @peephole.register_cell("plain", gates=("h",), states=("h",))
    def plain(z: Any, states: Any, weights: Any) -> Any:
        return (torch.tanh(z["h"] + states[0] @ weights["weight_hh"].T),)

    with pytest.raises(InputError, match="the cell 'plain', whose step has no known bound"):
        gradient_bounds(peephole.Recurrent("plain", 3, 5), torch.zeros(T, B, 3))


@pytest.mark.parametrize(
    ("module", "batch", "complaint"),
    [
        (nn.Linear(3, 5), torch.zeros(T, B, 3), "no recurrent net"),
        (nn.GRU(3, 5), torch.zeros(1, B, 3), "at least 2 steps"),
        (nn.GRU(3, 5), torch.zeros(T, 0, 3), "0 sequences"),
    ],
)
def test_bad_input(module: nn.Module, batch: Tensor, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as raised:
        gradient_bounds(module, batch)
    assert "\n" not in str(raised.value)


def test_the_examples_of_the_derivation_run() -> None:
    """An LSTM made to explode and clipped, nets under the bound and over it, the identity mapping."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "bounds.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "bounds.md", "exec"), names)
    assert names["whole"].norm() > 1e3 * names["by_norm"].norm()
    assert names["exploding"][40] > names["usual"][40]
