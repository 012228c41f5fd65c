"""Initial states that are learned: where a sequence starts, and where it starts anew."""

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.nn.layers import GRU, LSTM, RNN
from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec

from ..cells import MATRIX
from .step_by_step import step_by_step

T, B, I, H, P = 7, 3, 4, 5, 3
LENGTHS, TOLERANCE = [7, 0, 4], 1e-12
CHOSEN = ["rnn 3 taps", "lstm", "lstm projected", "lstm FGR", "gru", "gru before"]


def build(spec: CellSpec, **options: Any) -> Recurrent:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"dtype": torch.float64, "proj_size": P if spec.projected else 0}
    arguments |= {"learned_states": True} | options
    layer = Recurrent(spec, I, H, **arguments)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name.startswith("state_"):
                parameter.normal_()
    return layer


def listed(states: Any) -> list[Tensor]:
    return [states] if isinstance(states, Tensor) else list(states)


def given(states: list[Tensor]) -> Any:
    return states[0] if len(states) == 1 else tuple(states)


def same(got: tuple[Tensor, Any], want: tuple[Tensor, Any]) -> None:
    for one, two in zip([got[0], *listed(got[1])], [want[0], *listed(want[1])], strict=True):
        assert one.shape == two.shape
        assert float((one - two).detach().abs().max()) <= TOLERANCE


def borders_of() -> Tensor:
    torch.manual_seed(4)
    resets = torch.rand(T, B) < 0.25
    resets[0, 0] = resets[2, 0] = resets[2, 2] = resets[5, 2] = True  # the last one past its row's end
    resets[0, 2] = False
    return resets


@pytest.mark.parametrize("name", MATRIX)
def test_parameters_and_where_they_start(name: str) -> None:
    spec = MATRIX[name]
    layer = Recurrent(spec, I, H, 2, bidirectional=True, proj_size=P if spec.projected else 0, learned_states=True)
    plain = Recurrent(spec, I, H, 2, bidirectional=True, proj_size=P if spec.projected else 0)
    sizes = dict(zip(spec.states, spec.state_sizes(H, P if spec.projected else 0), strict=True))
    added = {key: value for key, value in layer.named_parameters() if key not in dict(plain.named_parameters())}
    assert {key: tuple(value.shape) for key, value in added.items()} == {
        f"state_{state}{suffix}": (size,)
        for state, size in sizes.items()
        for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse")
    }
    assert not any(value.any() for value in added.values())
    assert len(layer.all_weights[0]) == len(plain.all_weights[0])
    with torch.no_grad():
        for value in added.values():
            value.fill_(1.0)
    layer.reset_parameters()
    assert not any(value.any() for value in added.values())


def test_equal_seeds_give_the_weights_that_a_plain_layer_has() -> None:
    torch.manual_seed(0)
    layer = LSTM(I, H, 2, learned_states=True)
    torch.manual_seed(0)
    for name, parameter in LSTM(I, H, 2).named_parameters():
        assert torch.equal(getattr(layer, name), parameter)


@pytest.mark.parametrize("name", MATRIX)
def test_a_sequence_starts_from_them(name: str) -> None:
    layer = build(MATRIX[name], num_layers=2, bidirectional=True)
    x = torch.randn(T, B, I, dtype=torch.float64)
    states = layer.initial_states(B, x)
    for place, state in enumerate(layer.spec.states):
        for index, suffix in enumerate(("_l0", "_l0_reverse", "_l1", "_l1_reverse")):
            learned = getattr(layer, f"state_{state}{suffix}")
            assert torch.equal(states[place][index], learned.expand(B, -1))
    same(layer(x), layer(x, given(list(states))))
    zeros = [torch.zeros_like(state) for state in states]
    plain = build(MATRIX[name], num_layers=2, bidirectional=True, learned_states=False)
    same(layer(x, given(zeros)), plain(x))  # states that are given go first
    if MATRIX[name].residual != "input":
        assert float((layer(x)[0] - plain(x)[0]).detach().abs().max()) > 1e-3


@pytest.mark.parametrize("name", MATRIX)
def test_gradients_arrive(name: str) -> None:
    layer = build(MATRIX[name], num_layers=2, bidirectional=True)
    x = torch.randn(T, B, I, dtype=torch.float64)
    y, finals = layer(x)
    (y.square().sum() + sum(state.square().sum() for state in listed(finals))).backward()
    for key, parameter in layer.named_parameters():
        assert parameter.grad is not None, key
        assert bool(parameter.grad.any()), key
        assert bool(parameter.grad.isfinite().all()), key


@pytest.mark.parametrize("name", CHOSEN)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    spec = MATRIX[name]
    layer = build(spec)
    x = torch.randn(4, 2, I, dtype=torch.float64)
    resets = torch.tensor([[False, True], [False, False], [True, False], [False, True]])
    names = [key for key in dict(layer.named_parameters()) if key.startswith("state_")]

    def run(*states: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(names, states, strict=True))
        y, finals = torch.func.functional_call(layer, named, (x,), {"resets": resets, "lengths": [4, 3]})
        return (y, *listed(finals))

    assert torch.autograd.gradcheck(run, tuple(getattr(layer, key) for key in names), fast_mode=True)


@pytest.mark.parametrize(("carried", "lengths"), [(False, None), (True, LENGTHS)])
@pytest.mark.parametrize("name", MATRIX)
def test_a_reset_restarts_from_them(name: str, carried: bool, lengths: list[int] | None) -> None:
    layer = build(MATRIX[name], num_layers=2, bidirectional=True)
    x = torch.randn(T, B, I, dtype=torch.float64)
    first = list(layer.initial_states(B, x))
    hx = [torch.randn_like(state) for state in first] if carried else first
    resets = borders_of()
    got = layer(x, given(hx) if carried else None, lengths=lengths, resets=resets)

    # each piece between two borders is a sequence of its own
    y = torch.zeros_like(got[0])
    finals = [state.clone() for state in hx]
    forward = [0, 2]
    for row in range(B):
        end = lengths[row] if lengths else T
        cuts = sorted({0, *(t for t in range(1, end) if resets[t, row]), end})
        for start, stop in pairwise(cuts):
            begin = [state[:, row : row + 1].clone() for state in first]
            for place, state in enumerate(hx):
                if start == 0 and not resets[0, row]:
                    begin[place][forward] = state[forward, row : row + 1]
                if stop == end:
                    begin[place][[1, 3]] = state[[1, 3], row : row + 1]
            piece, last = layer(x[start:stop, row : row + 1], given(begin))
            y[start:stop, row] = piece[:, 0]
            for place, state in enumerate(listed(last)):
                if stop == end:
                    finals[place][forward, row] = state[forward, 0]
                if start == 0:
                    finals[place][[1, 3], row] = state[[1, 3], 0]
    same(got, (y, finals))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", CHOSEN)
def test_a_reset_under_noise(name: str, training: bool) -> None:
    spec = MATRIX[name]
    noise = {"zoneout": 0.3, "recurrent_dropout": 0.3, "weight_drop": 0.3}
    noise |= {"zoneout_cell": 0.4} if "c" in spec.states else {}
    layer = build(spec, num_layers=2, bidirectional=True, **noise).train(training)
    x = torch.randn(T, B, I, dtype=torch.float64)
    hx = list(layer.initial_states(B, x))
    for lengths in (None, LENGTHS):
        got = layer(x, lengths=lengths, resets=borders_of(), seed=5)
        want = step_by_step(layer, x, hx, lengths, borders_of(), 5 if training else None)
        same(got, want)
        wants = [parameter for key, parameter in layer.named_parameters() if key.startswith("state_")]
        ours, theirs = (torch.autograd.grad(y.square().sum(), wants, retain_graph=True) for y, _ in (got, want))
        for one, two in zip(ours, theirs, strict=True):
            assert float((one - two).abs().max()) <= 1e-11


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_every_back_end(kind: Any, backend: str) -> None:
    """Resets far apart, so that kernels for whole sequences are used between them, in float32."""
    torch.manual_seed(0)
    layer = kind(I, H, 2, bidirectional=True, backend=backend, learned_states=True)
    exact = kind(I, H, 2, bidirectional=True, backend="reference", learned_states=True, dtype=torch.float64)
    with torch.no_grad():
        for key, parameter in layer.named_parameters():
            if key.startswith("state_"):
                parameter.normal_()
    exact.load_state_dict(layer.state_dict())
    x, resets = torch.randn(70, B, I), torch.zeros(70, B, dtype=torch.bool)
    resets[30, 1] = resets[50, 0] = resets[50, 2] = True
    got, want = layer(x, resets=resets), exact(x.double(), resets=resets)
    for one, two in zip([got[0], *listed(got[1])], [want[0], *listed(want[1])], strict=True):
        assert float((one - two).detach().abs().max()) <= 1e-5
    none = torch.zeros_like(resets)
    plain = layer(x)
    for one, two in zip(listed(plain), listed(layer(x, resets=none)), strict=True):
        for left, right in zip(listed(one), listed(two), strict=True):
            assert float((left - right).detach().abs().max()) <= 1e-6


def test_initial_states_are_like_what_is_given() -> None:
    layer = build(CellSpec("lstm"), num_layers=2, dtype=torch.float32)
    for states in (
        layer.initial_states(4, torch.zeros(1, dtype=torch.float64)),
        layer.initial_states(0, torch.ones(1)),
    ):
        assert [state.shape[::2] for state in states] == [(2, H), (2, H)]
    assert layer.initial_states(4, torch.zeros(1, dtype=torch.float64))[0].dtype == torch.float64
    assert layer.initial_states(4, torch.zeros(1))[1].shape == (2, 4, H)
    zeros = LSTM(I, H, 2).initial_states(3, torch.zeros(1, dtype=torch.float64))
    assert [state.dtype for state in zeros] == [torch.float64] * 2
    assert not any(state.any() for state in zeros)


@pytest.mark.parametrize("name", CHOSEN)
def test_layouts(name: str) -> None:
    layer = build(MATRIX[name], bidirectional=True)
    x = torch.randn(T, B, I, dtype=torch.float64)
    want = layer(x, lengths=[7, 3, 4])
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor([7, 3, 4]), enforce_sorted=False)
    got, finals = layer(packed)
    same((torch.nn.utils.rnn.pad_packed_sequence(got)[0], finals), want)
    first = copy.deepcopy(layer)
    first.batch_first = True
    y, finals = first(x.transpose(0, 1), lengths=[7, 3, 4])
    same((y.transpose(0, 1), finals), want)
    y, finals = layer(x[:, 0])
    same((y, finals), (want[0][:, 0], [state[:, 0] for state in listed(want[1])]))


def test_state_dict_round_trip() -> None:
    layer, other = build(MATRIX["lstm FGR"], num_layers=2), build(MATRIX["lstm FGR"], num_layers=2)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load_state_dict(layer.state_dict())
    x = torch.randn(T, B, I, dtype=torch.float64)
    assert torch.equal(layer(x)[0], other(x)[0])
    assert torch.equal(copy.deepcopy(layer)(x)[0], layer(x)[0])
    plain = build(MATRIX["lstm FGR"], num_layers=2, learned_states=False)
    with pytest.raises(InputError, match=r"has state_h_l0, state_c_l0, .*, which it should not"):
        plain.load_state_dict(layer.state_dict())
    with pytest.raises(InputError, match="lacks state_h_l0, state_c_l0, ") as caught:
        layer.load_state_dict(plain.state_dict())
    assert "\n" not in str(caught.value)
    assert "learned_states=True" in repr(layer)


@pytest.mark.parametrize("resets", [False, True])
def test_training_learns_them(resets: bool) -> None:
    """The first output is wanted to be 0.5 whatever comes in, which a state that starts at zero cannot say."""
    torch.manual_seed(0)
    losses = {}
    for learned in (False, True):
        layer = RNN(1, 3, learned_states=learned)
        with torch.no_grad():
            layer.all_weights[0][1].copy_(torch.eye(3))
        trained = [value for name, value in layer.named_parameters() if name.startswith("state_")]
        x = torch.zeros(6, 4, 1)
        borders = torch.zeros(6, 4, dtype=torch.bool)
        borders[3] = True
        optimiser = torch.optim.Adam(trained, lr=0.1) if trained else None
        loss = torch.zeros(())
        for _ in range(60):
            y, _ = layer(x, resets=borders if resets else None)
            loss = (y[3 if resets else 0] - 0.5).square().mean()
            if optimiser is not None:
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        losses[learned] = float(loss.detach())
        assert all(bool((state != 0).all()) for state in trained)
    assert losses[True] <= 0.01 * losses[False]
