"""Gradient flow against torch's autograd, on systems whose answer is known, and with bad input."""

import math
from collections.abc import Callable

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import peephole
from peephole.divergence import kl
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.nn.recurrent import Recurrent
from peephole.reference.sequence import STEPS
from peephole.spec import CellSpec
from peephole.stability.backward.bounds import gradient_bounds
from peephole.stability.backward.flow import gradient_flow
from peephole.stability.backward.horizon import find_horizon

from ...cells import MATRIX
from ..nets import lively, same, snapshot

T, B = 8, 3


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def states_by_autograd(
    net: Recurrent, x: Tensor, alive: Tensor | None = None
) -> tuple[list[list[list[tuple[Tensor, ...]]]], list[Tensor]]:
    """The states of each layer, direction and time with a graph, and the last layer's outputs, by the equations."""
    kept, inputs, named = [], list(x), list(net.named_layers())
    for layer in range(net.num_layers):
        sides = []
        for direction in range(net.num_directions):
            index = layer * net.num_directions + direction
            states = tuple(state[index] for state in net.initial_states(x.shape[1], x))
            along: list[tuple[Tensor, ...]] = [()] * len(inputs)
            for t in reversed(range(len(inputs))) if direction else range(len(inputs)):
                new = STEPS[net.spec.family](net.spec, inputs[t], states, named[index], None)
                states = (
                    new
                    if alive is None
                    else tuple(torch.where(alive[t], one, old) for one, old in zip(new, states, strict=True))
                )
                along[t] = states
            sides.append(along)
        kept.append(sides)
        inputs = [
            torch.cat([side[t][0] if alive is None else side[t][0] * alive[t] for side in sides], -1)
            for t in range(len(inputs))
        ]
    return kept, inputs


def check(net: Recurrent, x: Tensor, targets: list[int], lengths: list[int] | None = None) -> None:
    weights = draw(T, B, net.num_directions * (net.proj_size or net.hidden_size))
    batch = x if lengths is None else {"input": x, "lengths": lengths}
    flow = gradient_flow(net, batch, lambda y: (y * weights).sum(), targets=targets)
    alive = None if lengths is None else (torch.arange(T)[:, None] < torch.tensor(lengths))[..., None]
    kept, outputs = states_by_autograd(net, x, alive)
    shown = [state for state in ("h", "c") if state in net.spec.states]
    for number, t in enumerate(targets):
        divergence = (outputs[t] * weights[t]).sum()
        for layer, sides in enumerate(kept):
            for direction, along in enumerate(sides):
                found = flow.layers[layer * net.num_directions + direction]
                for place, state in enumerate(shown):
                    nodes = [along[k][place] for k in range(T)]
                    wanted = torch.autograd.grad(
                        divergence, nodes, retain_graph=True, allow_unused=True, materialize_grads=True
                    )
                    for k, gradient in enumerate(wanted):
                        got = found.norms[state][number, k]
                        rows = torch.ones(B) if alive is None else alive[k, :, 0]
                        error = ((got - gradient.norm(dim=-1)) * rows).abs().max()
                        assert error <= 1e-9, (found.name, state, t, k)


@pytest.mark.parametrize("spec", MATRIX.values(), ids=MATRIX)
def test_every_cell_against_autograd(spec: CellSpec) -> None:
    check(lively(spec, layers=2), draw(T, B, 3), [2, 5, 7])


@pytest.mark.parametrize("spec", [CellSpec("lstm", peephole="full"), CellSpec("gru"), CellSpec("rnn")], ids=str)
def test_both_directions_against_autograd(spec: CellSpec) -> None:
    check(lively(spec, layers=2, bidirectional=True), draw(T, B, 3), [0, 3, 7])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_lengths_against_autograd(bidirectional: bool) -> None:
    check(lively(CellSpec("gru"), layers=2, bidirectional=bidirectional), draw(T, B, 3), [1, 4, 7], [T, 5, 2])


def test_a_divergence_of_the_final_state() -> None:
    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.LSTM(3, 5, bidirectional=True, dtype=torch.float64)

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)[1][0].transpose(0, 1).flatten(1)  # [B, 2·H]: both directions' last h

    model, x, weights = Classifier(), draw(T, B, 3), draw(B, 10)
    flow = gradient_flow(model, x, lambda y: (y * weights).sum())
    assert flow.targets == (T - 1,)
    kept, _ = states_by_autograd(peephole.from_torch(model.net), x)
    forward, backward = kept[0]
    divergence = (torch.cat([forward[-1][0], backward[0][0]], -1) * weights).sum()
    for direction, along in enumerate(kept[0]):
        wanted = torch.autograd.grad(divergence, [states[1] for states in along], retain_graph=True)
        for k, gradient in enumerate(wanted):
            assert (flow.layers[direction].norms["c"][0, k] - gradient.norm(dim=-1)).abs().max() <= 1e-9
    assert flow.by_lag(1, "c").shape == (T, B)  # the reverse direction counts from its own end
    assert torch.equal(flow.by_lag(1, "c")[0], flow.layers[1].norms["c"][0, 0])


def test_final_states_of_short_rows_count_from_their_own_end() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = peephole.GRU(3, 5, dtype=torch.float64)

        def forward(self, x: Tensor, lengths: list[int]) -> Tensor:
            return self.net(x, lengths=lengths)[1][0]

    torch.manual_seed(0)
    model, x = Last(), draw(T, B, 3)
    short = gradient_flow(model, {"x": x, "lengths": [T, 3, 5]}, lambda y: y.sum()).by_lag()
    alone = gradient_flow(model, {"x": x[:3], "lengths": [3, 3, 3]}, lambda y: y.sum()).by_lag()
    assert torch.isnan(short[3:, 1]).all()
    assert (short[:3, 1] - alone[:, 1]).abs().max() <= 1e-12


@pytest.mark.parametrize("sigma", [0.9, 1.0, 1.1])
def test_a_scaled_orthogonal_net_is_a_power(sigma: float) -> None:
    net = peephole.RNN(4, 6, nonlinearity="identity", bias=False, dtype=torch.float64, init="orthogonal")
    with torch.no_grad():
        net.weight_hh_l0.mul_(sigma)
    flow = gradient_flow(net, draw(40, B, 4), lambda y: 0.5 * y.square().sum(), targets=[39])
    curve = flow.by_lag()
    for lag in range(40):
        assert ((curve[lag] / curve[0] - sigma**lag).abs() <= 1e-6 * sigma**lag).all()


def test_the_identity_mapping_passes_everything() -> None:
    net = peephole.RNN(3, 5, residual="input", dtype=torch.float64)
    curve = gradient_flow(net, draw(T, B, 3), lambda y: y[-1].square().sum()).by_lag()
    assert torch.equal(curve, curve[:1].expand_as(curve))


def test_flow_far_below_float32_is_zero_not_slow_and_far_above_is_kept() -> None:
    net = peephole.RNN(2, 2, nonlinearity="identity", bias=False)
    with torch.no_grad():
        net.weight_hh_l0.copy_(torch.diag(torch.tensor([0.5, 0.1])))
    curve = gradient_flow(net, torch.randn(200, 1, 2), lambda y: y[-1].sum()).by_lag()[:, 0]
    lags = torch.arange(60.0)
    assert ((curve[:60] - (0.25**lags + 0.01**lags).sqrt()).abs() <= 1e-5 * curve[:60]).all()
    assert not curve[-1]
    tiny = gradient_flow(net, torch.randn(20, 1, 2), lambda y: 1e-30 * y[-1].sum()).by_lag()[:, 0]
    assert abs(float(tiny[10] / tiny[0] - 0.5**10 / math.sqrt(2))) <= 1e-6


def test_targets_and_the_matrix() -> None:
    net, x = lively(CellSpec("gru")), draw(30, B, 3)

    def everything(y: Tensor) -> Tensor:
        return y.square().sum()

    flow = gradient_flow(net, x, everything)
    assert len(flow.targets) == 16
    assert flow.targets[-1] == 29
    whole = gradient_flow(net, x, everything, matrix=True)
    assert whole.matrix().shape == (30, 30)
    assert torch.equal(whole.matrix().triu(1), torch.zeros(30, 30, dtype=torch.float64))
    for number, t in enumerate(flow.targets):
        assert torch.allclose(whole.layers[0].norms["h"][t], flow.layers[0].norms["h"][number])
    assert gradient_flow(net, x, everything, targets=[-1, 3]).targets == (3, 29)
    assert gradient_flow(net, x, lambda y: y[10:12].sum()).targets == (10, 11)


def test_a_model_of_symbols_with_the_divergence_of_the_next() -> None:
    torch.manual_seed(0)
    model = SequenceModel(11, ModelConfig(layers=2, hidden_size=6, embedding_size=4)).double()
    symbols = torch.randint(0, 11, (T + 1, B))
    before = snapshot(model)
    flow = gradient_flow(model.eval(), symbols[:-1], lambda logits: kl(logits, symbols[1:]), targets=[7])
    assert same(before | {name: False for name in before if name.endswith("mode")}, snapshot(model))
    x = model.embedding(symbols[:-1])
    kept, outputs = states_by_autograd(model.recurrent, x)
    divergence = torch.nn.functional.cross_entropy(model.head(outputs[7]).float(), symbols[8], reduction="sum")
    (wanted,) = torch.autograd.grad(divergence, [kept[0][0][2][1]])
    assert (flow.layers[0].norms["c"][0, 2] - wanted.norm(dim=-1)).abs().max() <= 1e-6  # kl is float32


def test_rows_that_end_before_a_target_do_not_count() -> None:
    net = lively(CellSpec("gru"))
    flow = gradient_flow(
        net, {"input": draw(T, B, 3), "lengths": [T, 3, T]}, lambda y: y.square().sum(), targets=[2, 7]
    )
    assert flow.rows.tolist() == [[True, True, True], [True, False, True]]
    curve = flow.by_lag()
    assert len(curve) == T
    assert torch.isnan(curve[3:, 1]).all()
    assert torch.equal(curve[:3, 1], flow.layers[0].norms["h"][0, :3, 1].flip(0))


def test_the_horizon_of_a_known_decay() -> None:
    lags = torch.arange(50.0, dtype=torch.float64)[:, None]
    horizon = find_horizon(0.5**lags * torch.ones(1, 4))
    assert (horizon.lag, horizon.low, horizon.high) == (7, 7, 7)  # 2⁻⁷ < 0.01
    mixed = find_horizon(torch.cat([0.5**lags, 0.8**lags], 1))
    assert mixed.low == 7
    assert mixed.high == math.ceil(math.log(0.01) / math.log(0.8))
    assert mixed.low < mixed.lag < mixed.high
    never = find_horizon(torch.ones(5, 2))
    assert never.lag is None
    assert "more than 4" in never.verdict


def test_the_bounds_are_drawn_over_the_flow_of_h() -> None:
    net, x = lively(CellSpec("rnn"), spread=0.3), draw(30, B, 3)
    flow, bounds = gradient_flow(net, x, lambda y: y.square().sum()), gradient_bounds(net, x)
    ax = Figure().subplots()
    flow.plot(ax, bounds=bounds)
    drawn = {line.get_label(): torch.as_tensor(line.get_ydata()) for line in ax.lines}
    lags = range(1, len(drawn["h"]))
    assert list(drawn)[:3] == ["h", "bound η^(t−k)", "bound by the weights"]
    assert all(drawn["h"][k] <= drawn["bound η^(t−k)"][k] <= drawn["bound by the weights"][k] for k in lags)


def test_what_is_said_and_drawn() -> None:
    torch.manual_seed(1)
    flow = gradient_flow(nn.LSTM(3, 8, 2), torch.randn(60, 4, 3), lambda y: y.square().sum())
    assert flow.verdict.startswith("The gradient of c in layer 1 falls under 1% after ")
    assert flow.verdict.count(".") >= 1
    assert "\n" not in flow.verdict
    figure = Figure()
    left, right = figure.subplots(1, 2)
    flow.plot(left)
    flow.plot_matrix(right)
    figure.canvas.draw()
    assert len(left.lines) == 5
    with pytest.raises(AttributeError):
        flow.targets = ()  # pyright: ignore


BAD: dict[str, tuple[Callable[[Tensor], object], object, str]] = {
    "ignored target": (
        lambda y: y[-1].sum(),
        [2, 3, 7],
        "does not depend on the output at t = 2, 3; it looks at 7 only",
    ),
    "no such time": (lambda y: y.sum(), [8], "expected times from 0 to 7"),
    "no targets": (lambda y: y.sum(), 0, "targets is 0; expected at least 1"),
    "empty list": (lambda y: y.sum(), [], "expected times from 0 to 7"),
    "constant": (lambda y: torch.zeros(()), 16, "does not depend on the recurrent net's output"),
    "detached": (lambda y: y.detach().sum(), 16, "does not depend on the recurrent net's output"),
    "no tensor": (lambda y: 1.0, 16, "the divergence returned float"),
    "another shape": (lambda y: y[:2, :, 0], 16, "expected one number"),
    "not finite": (lambda y: (y * torch.nan).sum(), 16, "gradient is not finite"),
}


@pytest.mark.parametrize(("divergence", "targets", "words"), BAD.values(), ids=BAD)
def test_bad_divergences_and_targets(divergence: Callable[[Tensor], Tensor], targets: int, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        gradient_flow(nn.GRU(3, 5), torch.randn(T, B, 3), divergence, targets)
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_not_there() -> None:
    flow = gradient_flow(nn.GRU(3, 5), torch.randn(T, B, 3), lambda y: y.sum())
    with pytest.raises(InputError, match="layer is 1; this net has 1"):
        flow.by_lag(1)
    with pytest.raises(InputError, match="fraction is 2"):
        flow.horizon(fraction=2.0)
