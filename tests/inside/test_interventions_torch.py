"""Interventions in `torch.nn`'s layers: the equations run in their place, with their own weights, and then no more."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import peephole
from peephole.errors import InputError
from peephole.inside import intervention_forward

T, B, I, H = 6, 3, 4, 5
KINDS: dict[str, Callable[..., nn.RNNBase]] = {
    "lstm": lambda **options: nn.LSTM(I, H, 2, **options),
    "lstm projected": lambda **options: nn.LSTM(I, H, 2, proj_size=3, **options),
    "gru": lambda **options: nn.GRU(I, H, 2, **options),
    "rnn": lambda **options: nn.RNN(I, H, 2, nonlinearity="relu", **options),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def build(kind: str, **options: Any) -> Any:
    torch.manual_seed(0)
    return KINDS[kind](**options).double()


def finals_of(given: Any) -> tuple[Tensor, ...]:
    return (given,) if isinstance(given, Tensor) else given


@EVERY_KIND
@pytest.mark.parametrize("shape", ["time first", "batch first", "unbatched", "packed"])
def test_the_equations_in_its_place_give_what_it_gives(kind: str, shape: str, agree: Callable[..., None]) -> None:
    net = build(kind, batch_first=shape == "batch first", bidirectional=True)
    x: Any = torch.randn(T, B, I).double()
    if shape == "batch first":
        x = x.transpose(0, 1)
    elif shape == "unbatched":
        x = x[:, 0]
    elif shape == "packed":
        x = pack_padded_sequence(x, torch.tensor([2, T, 3]), enforce_sorted=False)
    want, want_finals = net(x)
    with peephole.scale(net, state="h", factor=1.0):
        got, finals = net(x)
    if shape == "packed":
        got, want = pad_packed_sequence(got)[0], pad_packed_sequence(want)[0]
    agree(got, want, 1e-12)
    for one, other in zip(finals_of(finals), finals_of(want_finals), strict=True):
        agree(one, other, 1e-12)


@EVERY_KIND
def test_it_changes_as_peepholes_layers_do_with_its_own_gradients(kind: str, agree: Callable[..., None]) -> None:
    net = build(kind)
    ours, x = peephole.from_torch(net), torch.randn(T, B, I).double()
    for one in (net, ours):
        with peephole.clamp(one, layer=0, state="h", value=0.3, units=[2, 0], steps=slice(1, 4)):
            one(x)[0].square().sum().backward()
    for name, parameter in net.named_parameters():
        agree(parameter.grad, ours.get_parameter(name).grad, 1e-12, name)
    assert "forward" not in vars(net)


def test_everything_is_put_back_and_weights_are_those_of_the_call() -> None:
    net = build("lstm")
    x = torch.randn(T, B, I).double()
    state = torch.random.get_rng_state()
    with pytest.raises(RuntimeError, match="stop"), peephole.ablate(net), peephole.ablate(net, state="c"):
        raise RuntimeError("stop")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert "forward" not in vars(net)
    with peephole.scale(net, state="h", factor=1.0), torch.no_grad():
        net.bias_ih_l1.fill_(100.0)
        assert bool((net(x)[0][-1] > 0.99).all())


def test_blocks_nest_and_parametrised_weights_are_followed() -> None:
    net = weight_norm(build("gru"), "weight_hh_l0")
    x = torch.randn(T, B, I).double()
    with peephole.clamp(net, gate="z", value=1.0), peephole.clamp(net, layer=1, state="h", value=2.0, steps=3):
        output, h = net(x)
        output.sum().backward()
    assert bool((output[3:] == 2.0).all())
    assert not bool(h[0].any())
    with peephole.scale(net, state="h", factor=2.0):
        net(x)[0].sum().backward()
    assert bool(net.parametrizations.weight_hh_l0.original1.grad.any())


def test_the_logger_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    intervention_forward._say_once.cache_clear()
    net = build("lstm")
    with caplog.at_level(logging.WARNING, "peephole"):
        for _ in range(3):
            with peephole.ablate(net):
                net(torch.randn(T, B, I).double())
    assert [record.message for record in caplog.records] == [
        "torch.nn.LSTM runs by peephole's equations, with its own weights, as long as something changes"
    ]


def test_a_model_around_it_and_its_hooks_go_on() -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent, self.head = build("lstm"), nn.Linear(H, 2).double()

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.recurrent(x)[0])

    model, heard = Tagger(), list[str]()
    model.recurrent.register_forward_hook(lambda *given: heard.append("hook"))
    x = torch.randn(T, B, I).double()
    with peephole.ablate(model, layer=1):
        output = model(x)
    assert torch.equal(output, model.head.bias.expand_as(output))
    assert heard == ["hook"]
    with pytest.raises(InputError, match="no gate 'z'"):
        peephole.clamp(model, gate="z", value=1.0)


@pytest.mark.parametrize("outer", ["trace", "clamp"])
def test_a_trace_of_a_changed_torch_net_shows_the_change(outer: str, agree: Callable[..., None]) -> None:
    net, x = build("lstm"), torch.randn(T, B, I).double()
    seen = []
    for one in (net, peephole.from_torch(net)):
        clamped = peephole.clamp(one, layer=0, gate="f", value=1.0)
        if outer == "trace":
            with peephole.trace(one) as each, clamped:
                one(x)[0].square().sum().backward()
        else:
            with clamped, peephole.trace(one) as each:
                one(x)[0].square().sum().backward()
        seen.append(each.layers[0])
    assert bool((seen[0].gates["f"] == 1).all())
    agree(seen[0].states["c"], seen[1].states["c"], 1e-12)
    agree(seen[0].gradients["c"], seen[1].gradients["c"], 1e-12)
