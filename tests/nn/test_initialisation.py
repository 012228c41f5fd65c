"""Where training starts: what each scheme promises about the numbers it draws."""

import math
import re
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.nn.cells import GRUCell, LSTMCell, RNNCell
from peephole.nn.initialisation import gate_rows
from peephole.nn.layers import GRU, LSTM, RNN, Recurrent
from peephole.spec import CellSpec

I, H = 5, 24


def parts(layer: Recurrent) -> list[dict[str, Tensor]]:
    return [{name: weight.detach() for name, weight in named.items()} for named in layer.named_layers()]


def layer_of(kind: type[Recurrent], **options: Any) -> Recurrent:
    torch.manual_seed(0)
    return kind(I, H, num_layers=2, bidirectional=True, **options)


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_torchs_uniform_stays_within_its_bound_and_fills_it(kind: type[Recurrent]) -> None:
    bound = H**-0.5
    for named in parts(layer_of(kind)):
        for weight in named.values():
            assert float(weight.abs().max()) <= bound
            assert abs(float(weight.mean())) <= 0.2 * bound
        assert float(named["weight_hh"].abs().max()) >= 0.99 * bound


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_orthogonal_blocks(kind: type[Recurrent]) -> None:
    layer = layer_of(kind, init="orthogonal", dtype=torch.float64)
    gates = len(layer.spec.gates)
    for index, named in enumerate(parts(layer)):
        blocks = named["weight_hh"].chunk(gates)
        assert len(blocks) == gates
        for block in blocks:
            assert float((block @ block.T - torch.eye(H, dtype=block.dtype)).abs().max()) <= 1e-12
        assert all(not torch.equal(blocks[0], block) for block in blocks[1:])
        width = I if index < 2 else 2 * H
        bound = math.sqrt(6 / (width + H))  # Glorot's of one gate, not of the stack of them
        for block in named["weight_ih"].chunk(gates):
            assert 0.9 * bound <= float(block.abs().max()) <= bound
        assert not named["bias_ih"].any()
        assert not named["bias_hh"].any()


def test_orthogonal_blocks_of_a_projection_are_orthonormal_columns() -> None:
    layer = layer_of(LSTM, init="orthogonal", proj_size=7, dtype=torch.float64)
    for named in parts(layer):
        for block in named["weight_hh"].chunk(4):  # [H, P]
            assert float((block.T @ block - torch.eye(7, dtype=block.dtype)).abs().max()) <= 1e-12
        bound = math.sqrt(6 / (7 + H))
        assert 0.9 * bound <= float(named["weight_hr"].abs().max()) <= bound


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_identity(nonlinearity: str) -> None:
    for named in parts(layer_of(RNN, init="identity", nonlinearity=nonlinearity)):
        assert torch.equal(named["weight_hh"], torch.eye(H))
        assert bool(named["weight_ih"].any())
        assert not named["bias_ih"].any()
        assert not named["bias_hh"].any()


def test_an_identity_net_keeps_its_state() -> None:
    net = RNN(I, H, init="identity", nonlinearity="relu")
    state = torch.rand(1, 3, H)
    _, last = net(torch.zeros(200, 3, I), state)
    assert torch.equal(last, state)


@pytest.mark.parametrize("longest", [3, 50, 1000])
def test_chrono_spreads_the_time_constants_of_an_lstm(longest: int) -> None:
    layer = layer_of(LSTM, init="chrono", longest=longest)
    for named in parts(layer):
        total = named["bias_ih"] + named["bias_hh"]
        forget, write = (total[gate_rows(layer.spec, gate, H)] for gate in "fi")
        assert torch.equal(write, -forget)
        assert float(forget.min()) >= 0.0
        assert float(forget.max()) <= math.log(longest - 1) + 1e-6
        others = torch.cat([total[gate_rows(layer.spec, gate, H)] for gate in "go"])
        assert bool(others.any())  # these stay as torch draws them
        assert float(others.abs().max()) <= 2 * H**-0.5
    forgets = torch.cat([(n["bias_ih"] + n["bias_hh"])[gate_rows(layer.spec, "f", H)] for n in parts(layer)])
    if longest > 3:
        constants = forgets.exp()  # uniform from 1 to longest - 1: quartiles near a quarter and three
        low, high = float(constants.quantile(0.25)), float(constants.quantile(0.75))
        assert 0.1 * longest <= low <= 0.4 * longest
        assert 0.6 * longest <= high <= 0.9 * longest


def test_chrono_sets_the_gate_of_a_gru_that_keeps() -> None:
    layer = layer_of(GRU, init="chrono", longest=50)
    for named in parts(layer):
        total = named["bias_ih"] + named["bias_hh"]
        keep = total[gate_rows(layer.spec, "z", H)]
        assert float(keep.min()) >= 0.0
        assert 1.0 <= float(keep.max()) <= math.log(49) + 1e-6
        assert float(total[gate_rows(layer.spec, "r", H)].abs().max()) <= 2 * H**-0.5
    # z weighs the old state: a net that keeps forgets slowly
    net, plain = GRU(I, H, init="chrono", longest=1000), GRU(I, H)
    state, nothing = torch.rand(1, 1, H), torch.zeros(20, 1, I)
    kept = [float((module(nothing, state)[1] - state).detach().square().mean()) for module in (net, plain)]
    assert kept[0] <= 0.3 * kept[1]


@pytest.mark.parametrize("init", ["torch", "orthogonal"])
@pytest.mark.parametrize("bias", [1.0, 0.0, -2.5])
def test_the_total_bias_of_the_forget_gate(bias: float, init: str) -> None:
    layer = layer_of(LSTM, init=init, forget_bias=bias)
    plain = layer_of(LSTM, init=init)
    rows = gate_rows(layer.spec, "f", H)
    for named, other in zip(parts(layer), parts(plain), strict=True):
        total = named["bias_ih"] + named["bias_hh"]
        assert torch.equal(total[rows], torch.full((H,), bias))
        rest = torch.ones(4 * H, dtype=torch.bool)
        rest[rows] = False
        for name in named:
            keep = rest if name.startswith("bias") else slice(None)
            assert torch.equal(named[name][keep], other[name][keep])


def test_rows_of_a_gate() -> None:
    assert gate_rows(CellSpec("lstm"), "i", 5) == slice(0, 5)
    assert gate_rows(CellSpec("lstm"), "f", 5) == slice(5, 10)
    assert gate_rows(CellSpec("gru"), "n", 5) == slice(10, 15)


def test_cells_start_as_layers_do() -> None:
    torch.manual_seed(0)
    layer = LSTM(I, H, init="orthogonal", forget_bias=1.0)
    torch.manual_seed(0)
    cell = LSTMCell(I, H, init="orthogonal", forget_bias=1.0)
    for name, weight in cell.named_parameters():
        assert torch.equal(weight, getattr(layer, f"{name}_l0"))
    assert float((GRUCell(I, H, init="chrono", longest=9).bias_ih[H : 2 * H]).detach().min()) >= 0
    assert torch.equal(RNNCell(I, H, init="identity").weight_hh, torch.eye(H))


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (LSTM, {"init": "identity"}, "identity initialisation is the RNN's (IRNN); for a lstm choose orthogonal or"),
        (
            GRU,
            {"init": "identity"},
            "identity initialisation is the RNN's (IRNN); for a gru choose orthogonal or chrono",
        ),
        (RNN, {"init": "chrono", "longest": 9}, "an RNN has no gates; choose orthogonal or identity"),
        (LSTM, {"init": "chrono"}, "chrono initialisation got longest=None; expected the longest dependency in steps"),
        (LSTM, {"init": "chrono", "longest": 2}, "chrono initialisation got longest=2; expected the longest"),
        (LSTM, {"init": "chrono", "longest": 9, "bias": False}, "set biases, and bias=False leaves none"),
        (LSTM, {"forget_bias": 1.0, "bias": False}, "set biases, and bias=False leaves none"),
        (GRU, {"forget_bias": 1.0}, "forget_bias is the LSTM's; a gru has no forget gate"),
        (RNN, {"forget_bias": 1.0}, "forget_bias is the LSTM's; a rnn has no forget gate"),
        (
            LSTM,
            {"init": "chrono", "longest": 9, "forget_bias": 1.0},
            "chrono initialisation draws the forget gate's bias, and forget_bias=1.0 sets it",
        ),
        (
            LSTM,
            {"init": "glorot"},
            "unknown initialisation 'glorot'; choose one of torch, orthogonal, identity, chrono",
        ),
        (LSTMCell, {"init": "identity"}, "identity initialisation is the RNN's (IRNN)"),
        (GRUCell, {"forget_bias": 1.0}, "forget_bias is the LSTM's; a gru has no forget gate"),
    ],
)
def test_contradictions_are_refused(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        kind(3, 4, **options)
    assert "\n" not in str(caught.value)
