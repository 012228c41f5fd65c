"""Where training starts: what each scheme promises about the numbers it draws."""

import math
import re
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.nn.cells import Cell, GRUCell, LSTMCell, RNNCell
from peephole.nn.initialisation import gate_rows
from peephole.nn.layers import GRU, LSTM, RNN
from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec

from ..cells import MATRIX

I, H = 5, 24


def parts(layer: Recurrent) -> list[dict[str, Tensor]]:
    return [{name: weight.detach() for name, weight in named.items()} for named in layer.named_layers()]


def layer_of(kind: Any, **options: Any) -> Recurrent:
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
    gru = dict(GRUCell(I, H, init="chrono", longest=9).named_parameters())
    assert float(gru["bias_ih"][H : 2 * H].detach().min()) >= 0
    assert torch.equal(dict(RNNCell(I, H, init="identity").named_parameters())["weight_hh"], torch.eye(H))


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
        (GRU, {"forget_bias": 1.0}, "forget_bias is the forget gate's, and gru has no forget gate"),
        (RNN, {"forget_bias": 1.0}, "forget_bias is the forget gate's, and rnn has no forget gate"),
        (LSTM, {"forget_bias": 1.0, "forget_gate": False}, "and lstm forget_gate=False has no forget gate"),
        (LSTM, {"forget_bias": math.nan}, "forget_bias is nan; expected a finite number"),
        (LSTM, {"forget_bias": math.inf}, "forget_bias is inf; expected a finite number"),
        (LSTMCell, {"forget_bias": math.nan}, "forget_bias is nan; expected a finite number"),
        (LSTM, {"init": "chrono", "longest": 9, "forget_gate": False}, "lstm forget_gate=False has none"),
        (RNN, {"init": "identity", "residual": "input"}, "sets the recurrent matrix, and residual='input' has none"),
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
        (GRUCell, {"forget_bias": 1.0}, "forget_bias is the forget gate's, and gru has no forget gate"),
    ],
)
def test_contradictions_are_refused(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        kind(3, 4, **options)
    assert "\n" not in str(caught.value)


# --- variants ---

SCHEMES: dict[str, dict[str, Any]] = {
    "torch": {},
    "orthogonal": {"init": "orthogonal"},
    "identity": {"init": "identity"},
    "chrono": {"init": "chrono", "longest": 30},
    "forget bias": {"init": "orthogonal", "forget_bias": 1.5},
}


def refused(spec: CellSpec, scheme: str) -> bool:
    """What has to be refused, from the meaning of the scheme."""
    forgets = spec.family == "lstm" and spec.forget_gate
    if scheme == "identity":
        return spec.family != "rnn" or spec.residual == "input"
    if scheme == "chrono":
        return not spec.bias or not (forgets or spec.family == "gru")
    return scheme == "forget bias" and not (spec.bias and forgets)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", MATRIX)
def test_every_cell_starts_somewhere_or_says_why_not(name: str, scheme: str) -> None:
    spec, size = MATRIX[name], 7 if MATRIX[name].projected else 0
    torch.manual_seed(0)
    if refused(spec, scheme):
        for cell in (False, True):
            with pytest.raises(InputError) as caught:
                build(spec, cell, proj_size=size, **SCHEMES[scheme])
            assert "\n" not in str(caught.value)
        return
    for cell in (False, True):
        layer = build(spec, cell, proj_size=size, **SCHEMES[scheme])
        shapes = spec.parameter_shapes(I, H, size)
        named = {key.removesuffix("_l0"): weight.detach() for key, weight in layer.named_parameters()}
        assert {key: tuple(weight.shape) for key, weight in named.items()} == shapes
        assert all(bool(weight.isfinite().all()) for weight in named.values())
        assert bool(named["weight_ih"].any())
        if spec.residual != "input":
            assert bool(named["weight_hh"].any())
        structured = scheme not in ("torch", "chrono")
        for key in ("weight_ch", "weight_gh"):
            if key in named:
                assert bool(named[key].any()) != structured, key
        if spec.layer_norm:
            assert bool((named["weight_ln"] == 1).all())
            if spec.bias and scheme not in ("chrono", "forget bias"):
                assert not named["bias_ln"].any()
        before = {key: weight.clone() for key, weight in named.items()}
        torch.manual_seed(1)
        layer.reset_parameters()
        assert any(not torch.equal(weight, before[key]) for key, weight in named.items())


def build(spec: CellSpec, cell: bool, **options: Any) -> Recurrent | Cell:
    return Cell(spec, I, H, **options) if cell else Recurrent(spec, I, H, **options)


def at_rest(spec: CellSpec, named: dict[str, Tensor], gate: str) -> Tensor:
    """The activation of a gate where the input and every state are zero or, normalised, where that gives zero."""
    rows = gate_rows(spec, gate, H)
    return (named["bias_ln"][rows] if spec.layer_norm else named["bias_ih"][rows] + named["bias_hh"][rows]).sigmoid()


FORGETTING = [name for name, spec in MATRIX.items() if spec.family == "lstm" and spec.forget_gate and spec.bias]


@pytest.mark.parametrize("init", ["torch", "orthogonal"])
@pytest.mark.parametrize("bias", [1.5, -0.5])
@pytest.mark.parametrize("name", FORGETTING)
def test_how_much_a_cell_keeps_at_the_start(name: str, bias: float, init: str) -> None:
    """f at rest is σ(forget_bias), whether it is a gate of its own, 1 - i, or normalised."""
    spec = MATRIX[name]
    layer = Recurrent(spec, I, H, 2, proj_size=7 if spec.projected else 0, init=init, forget_bias=bias)
    for named in parts(layer):
        f = 1 - at_rest(spec, named, "i") if spec.coupled else at_rest(spec, named, "f")
        assert float((f - torch.tensor(bias).sigmoid()).abs().max()) <= 1e-6
        if spec.layer_norm:
            assert torch.equal(named["bias_ln"][gate_rows(spec, "f", H)], torch.full((H,), bias))
        if spec.coupled:
            rows = gate_rows(spec, "i", H)
            assert torch.equal(named["bias_ih"][rows] + named["bias_hh"][rows], torch.full((H,), -bias))


@pytest.mark.parametrize("name", [name for name, spec in MATRIX.items() if not refused(spec, "chrono")])
def test_chrono_spreads_what_is_kept(name: str) -> None:
    """What is kept of the old state at rest is σ(log u), u from 1 to longest - 1; what is written the rest of 1."""
    spec, longest = MATRIX[name], 200
    torch.manual_seed(0)
    layer = Recurrent(spec, I, H, 3, proj_size=7 if spec.projected else 0, init="chrono", longest=longest)
    found = []
    for named in parts(layer):
        if spec.family == "gru":
            z = at_rest(spec, named, "z")
            kept = z if spec.update == "keeps" else 1 - z
        else:
            kept = 1 - at_rest(spec, named, "i") if spec.coupled else at_rest(spec, named, "f")
        if spec.family == "lstm" and spec.input_gate:
            assert float((at_rest(spec, named, "i") - (1 - kept)).abs().max()) <= 1e-6
        found.append(kept)
    constants = 1 / (1 - torch.cat(found).double()) - 1  # u
    assert float(constants.min()) >= 1 - 1e-3
    assert float(constants.max()) <= (longest - 1) * (1 + 1e-3)
    assert 0.1 * longest <= float(constants.quantile(0.25)) <= 0.4 * longest
    assert 0.6 * longest <= float(constants.quantile(0.75)) <= 0.9 * longest


def test_the_identity_is_that_of_the_last_state_where_several_come_back() -> None:
    for named in parts(layer_of(RNN, init="identity", taps=3)):
        assert torch.equal(named["weight_hh"], torch.cat([torch.eye(H), torch.zeros(H, 2 * H)], dim=1))
    net = RNN(I, H, init="identity", nonlinearity="relu", taps=3)
    states = [torch.rand(1, 2, H) for _ in range(3)]
    output, _ = net(torch.zeros(9, 2, I), tuple(states))
    assert torch.equal(output, states[0].expand_as(output))


def test_orthogonal_blocks_of_several_taps_are_orthonormal_rows() -> None:
    for named in parts(layer_of(RNN, init="orthogonal", taps=3, dtype=torch.float64)):
        weight = named["weight_hh"]
        assert weight.shape == (H, 3 * H)
        assert float((weight @ weight.T - torch.eye(H, dtype=weight.dtype)).abs().max()) <= 1e-12


def test_torchs_uniform_is_of_every_part() -> None:
    layer = layer_of(LSTM, variant="FGR", dtype=torch.float64)
    for named in parts(layer):
        for key in ("weight_ch", "weight_gh"):
            assert 0.9 * H**-0.5 <= float(named[key].abs().max()) <= H**-0.5


def test_equal_seeds_give_equal_numbers_to_what_two_variants_share() -> None:
    plain, peeping = layer_of(LSTM, init="orthogonal"), layer_of(LSTM, init="orthogonal", peephole="full")
    for one, other in zip(parts(plain), parts(peeping), strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
