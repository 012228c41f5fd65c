"""What the carousel carries, against autograd, on LSTMs whose forget gates are known, and with bad input."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import peephole
from peephole.errors import InputError
from peephole.nn.recurrent import Recurrent
from peephole.reference.sequence import STEPS
from peephole.spec import CellSpec
from peephole.stability.backward import carrying
from peephole.stability.backward.carousel import Carousel, carousel

from ...cells import MATRIX
from ..nets import lively, same, snapshot

T, B = 9, 3
LSTMS = {name: spec for name, spec in MATRIX.items() if spec.family == "lstm"}


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def weighed(y: Tensor) -> Tensor:
    """A divergence that treats every time, row and unit differently."""
    return (y.square() * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)).sum()


Walked = dict[tuple[int, int], list[tuple[Tensor, ...]]]  # states by layer and direction, and time


def walk(net: Recurrent, x: Tensor) -> tuple[Walked, list[Tensor]]:
    """The states with a graph, by the equations."""
    found: Walked = {}
    inputs = list(x)
    for layer in range(net.num_layers):
        sides = []
        for direction in range(net.num_directions):
            index = layer * net.num_directions + direction
            named = list(net.named_layers())[index]
            states = tuple(state[index] for state in net.initial_states(x.shape[1], x))
            along: list[tuple[Tensor, ...]] = [()] * len(inputs)
            for t in reversed(range(len(inputs))) if direction else range(len(inputs)):
                along[t] = states = STEPS["lstm"](net.spec, inputs[t], states, named, None)
            found[layer, direction] = along
            sides.append([states[0] for states in along])
        inputs = [torch.cat(each, -1) for each in zip(*sides, strict=True)]
    return found, inputs


def kept_by(net: Recurrent, layer: int, x: Tensor, states: Sequence[Tensor]) -> Tensor:
    """∂c(t)/∂c(t−1) without h and peepholes `[B, H]`: the derivative where gates see a copy of c that stays."""
    spec, named = net.spec, dict(list(net.named_layers())[layer])
    c = states[1].detach().requires_grad_()
    if spec.peephole_gates:  # what the peepholes see becomes a bias
        parts = named.pop("weight_ch").chunk(len(spec.peephole_gates))
        bias = torch.zeros(len(c), len(spec.gates), c.shape[-1], dtype=c.dtype)
        for gate, part in zip(spec.peephole_gates, parts, strict=True):
            seen = c.detach() @ part.T if spec.peephole == "full" else c.detach() * part
            bias[:, spec.gates.index(gate)] = seen if gate != "o" else 0.0  # which does not touch c
        plain = dataclasses.replace(spec, peephole="none", candidate_peephole=False)
        named["bias_hh"] = named.get("bias_hh", 0) + bias.flatten(1)
    else:
        plain = spec
    _, new, *_ = STEPS["lstm"](plain, x, (states[0], c, *states[2:]), named, None)
    (kept,) = torch.autograd.grad(new.sum(), c)
    return kept


@pytest.mark.parametrize("spec", LSTMS.values(), ids=LSTMS)
def test_every_lstm_against_autograd(spec: CellSpec) -> None:
    net, x, targets = lively(spec, spread=0.5), draw(T, B, 3), [3, 8]
    weights = draw(T, B, 2 if spec.projected else 5)
    found = carousel(net, x, lambda y: (y * weights).sum(), targets)
    layer, (states, outputs) = found.layers[0], walk(net, x)
    begun = [tuple(state[0] for state in net.initial_states(B, x)), *states[0, 0]]
    total, alone, apart, inner, first, count = (torch.zeros(T, dtype=torch.float64) for _ in range(6))
    for t in targets:
        cells = [states[0, 0][k][1] for k in range(t + 1)]
        gradients = torch.autograd.grad((outputs[t] * weights[t]).sum(), cells, retain_graph=True)
        part = gradients[t]
        for k in range(t, -1, -1):
            lag = t - k
            total[lag] += gradients[k].square().sum()
            alone[lag] += part.square().sum()
            apart[lag] += (gradients[k] - part).square().sum()
            inner[lag] += (gradients[k] * part).sum()
            first[lag] += gradients[t].square().sum()
            count[lag] += B
            part = part * kept_by(net, 0, x[k], begun[k])
    assert torch.allclose(layer.total, (total / count).sqrt(), atol=1e-11, rtol=1e-9)
    assert torch.allclose(layer.carousel, (alone / count).sqrt(), atol=1e-11, rtol=1e-9)
    assert torch.allclose(layer.rest, (apart / count).sqrt(), atol=1e-11, rtol=1e-9)
    assert torch.allclose(layer.share, inner / total, atol=1e-9)
    assert torch.allclose(layer.carried, (alone / first).sqrt(), rtol=1e-9)
    assert float(layer.share[0]) == pytest.approx(1.0)
    assert float(layer.rest[0]) == 0.0


@pytest.mark.parametrize("together", [1, 1 << 26])
def test_a_stack_of_both_directions_against_autograd(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "NUMBERS_TOGETHER", together)  # targets one by one, or at once
    net, x, targets = lively(CellSpec("lstm"), 2, bidirectional=True, spread=0.5), draw(T, B, 3), (2, 5)
    found = carousel(net, x, weighed, list(targets))
    states, outputs = walk(net, x)
    scale = torch.linspace(-1, 2, T * B * 10, dtype=torch.float64).view(T, B, 10)
    for number, (place, along) in enumerate(states.items()):
        total = torch.zeros(T, dtype=torch.float64)
        for t in targets:
            gradients = torch.autograd.grad(
                (outputs[t].square() * scale[t]).sum(),
                [state[1] for state in along],
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            back = gradients if place[1] else gradients[::-1]  # against the direction
            reached = [gradient for gradient in back if bool(gradient.any())]  # lag 0 is the first that is reached
            for lag, gradient in enumerate(reached):
                total[lag] += gradient.square().sum()
        got = found.layers[number]
        count = torch.tensor([sum(len(got.total) > lag for _ in targets) for lag in range(len(got.total))])
        if place[0] == 0:  # the layer above sends gradients to every step, so that every target reaches every lag
            assert len(got.total) == T
            assert torch.allclose(got.total, (total / (B * count)).sqrt(), rtol=1e-8)
        else:
            assert len(got.total) == (T - 2 if place[1] else 6)
            assert torch.allclose(got.total[:3], (total[:3] / (2 * B)).sqrt(), rtol=1e-8)


def plain(**options: Any) -> Recurrent:
    """An LSTM without any way through h: the carousel is all there is."""
    net = peephole.LSTM(3, 5, dtype=torch.float64, **options)
    with torch.no_grad():
        net.weight_hh_l0.zero_()
    return net


def test_without_h_the_carousel_is_all_there_is() -> None:
    net = plain()
    layer = carousel(net, draw(T, B, 3), weighed).layers[0]
    assert torch.allclose(layer.share, torch.ones(T, dtype=torch.float64), atol=1e-12)
    assert layer.rest.abs().max() <= 1e-15
    assert torch.allclose(layer.carousel, layer.total, atol=1e-15)


@pytest.mark.parametrize("forget", [0.5, 0.9])
def test_a_constant_forget_gate_is_a_power(forget: float) -> None:
    net = plain()
    with torch.no_grad():
        net.weight_ih_l0[5:10] = 0.0
        net.bias_ih_l0[5:10] = math.log(forget / (1 - forget))
        net.bias_hh_l0.zero_()
    layer = carousel(net, draw(30, B, 3), lambda y: y.square().sum(), targets=[29]).layers[0]
    powers = forget ** torch.arange(30, dtype=torch.float64)
    assert torch.allclose(layer.carried, powers, rtol=1e-9)
    assert torch.allclose(layer.retention, powers, rtol=1e-9)
    assert torch.allclose(layer.forget_gate, torch.full((5,), forget, dtype=torch.float64), rtol=1e-9)
    assert torch.allclose(layer.half_life, torch.full((5,), math.log(0.5, forget), dtype=torch.float64), rtol=1e-9)
    assert torch.allclose(layer.expected_reach(), torch.full((5,), math.log(0.01, forget), dtype=torch.float64))
    assert layer.reach() == (6 if forget == 0.5 else None)  # 0.5⁶ > 0.01 > 0.5⁷; 0.9²⁹ = 0.047
    assert layer.reach(0.05) == (4 if forget == 0.5 else 28)


def test_a_missing_forget_gate_carries_without_end() -> None:
    layer = carousel(lively(CellSpec("lstm", forget_gate=False)), draw(T, B, 3), weighed).layers[0]
    assert torch.equal(layer.carried, torch.ones(T, dtype=torch.float64))
    assert torch.isinf(layer.half_life).all()
    assert (layer.half_life > 0).all()
    assert (layer.forget_gate == 1).all()
    assert layer.reach() is None


def test_a_coupled_gate_forgets_what_it_writes() -> None:
    net = plain(coupled=True)
    with torch.no_grad():
        net.weight_ih_l0[:5] = 0.0
        net.bias_ih_l0[:5] = math.log(0.2 / 0.8)  # i
        net.bias_hh_l0.zero_()
    layer = carousel(net, draw(T, B, 3), weighed).layers[0]
    assert torch.allclose(layer.forget_gate, torch.full((5,), 0.8, dtype=torch.float64), rtol=1e-9)


def test_zoneout_keeps_more() -> None:
    """κ + (1 − κ) f a step, after a first one of (1 − κ) f: what h shows is the cell before it is mixed."""
    net = plain(zoneout_cell=0.3).eval()
    with torch.no_grad():
        net.weight_ih_l0[5:10] = 0.0
        net.bias_ih_l0[5:10] = 0.0
        net.bias_hh_l0.zero_()
    layer = carousel(net, draw(T, B, 3), lambda y: y[-1].sum()).layers[0]
    kept = 0.3 + 0.7 * 0.5
    assert torch.allclose(layer.retention, kept ** torch.arange(T, dtype=torch.float64), rtol=1e-9)
    assert torch.allclose(layer.carried[1:], 0.7 * 0.5 * kept ** torch.arange(T - 1, dtype=torch.float64), rtol=1e-9)
    assert torch.allclose(layer.forget_gate, torch.full((5,), kept, dtype=torch.float64), rtol=1e-9)
    assert torch.allclose(layer.share, torch.ones(T, dtype=torch.float64), atol=1e-12)
    assert layer.rest.abs().max() <= 1e-12


def test_rows_that_end_and_borders() -> None:
    """Lags count the steps that a row took; behind a border nothing goes on."""
    net, x = lively(CellSpec("lstm")), draw(T, 2, 3)
    resets = torch.zeros(T, 2, dtype=torch.bool)
    resets[4, 0] = True
    everything = carousel(net, {"input": x, "resets": resets}, lambda y: y[-1].sum()).layers[0]
    alone = carousel(net, x[:, 1:], lambda y: y[-1].sum()).layers[0]
    assert torch.allclose(everything.total[5:], alone.total[5:])  # the first row has ended
    assert len(everything.total) == T
    only = carousel(net, {"input": x[:, :1], "resets": resets[:, :1]}, lambda y: y[-1].sum()).layers[0]
    assert torch.allclose(only.total, carousel(net, x[4:, :1], lambda y: y[-1].sum()).layers[0].total)

    class LastCell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, **given: Any) -> Tensor:
            return self.net(**given)[1][1]

    short = carousel(LastCell(), {"input": x[:, :1], "lengths": [5]}, lambda c: c.sum()).layers[0]
    whole = carousel(LastCell(), {"input": x[:5, :1]}, lambda c: c.sum()).layers[0]
    for name in ("total", "carousel", "rest", "share", "carried", "retention", "half_life"):
        assert torch.allclose(getattr(short, name), getattr(whole, name)), name
    assert len(short.total) == 5


def test_torch_and_peephole_alike_in_float32() -> None:
    torch.manual_seed(0)
    theirs = nn.LSTM(3, 5, num_layers=2, batch_first=True)
    x, before = torch.randn(B, T, 3), snapshot(theirs)
    found, other = (carousel(net, x, lambda y: y.square().sum()) for net in (theirs, peephole.from_torch(theirs)))
    assert same(before, snapshot(theirs))
    assert found.targets == tuple(range(T))
    for one, two in zip(found.layers, other.layers, strict=True):
        for field in dataclasses.fields(one):
            value, their = getattr(one, field.name), getattr(two, field.name)
            if isinstance(value, Tensor):
                assert value.dtype == torch.float32
                assert torch.allclose(value, their, rtol=1e-4)
    assert [layer.name for layer in found.layers] == ["layer 0", "layer 1"]


@pytest.fixture(scope="module")
def found() -> Carousel:
    return carousel(lively(CellSpec("lstm", peephole="diagonal"), 2), draw(40, B, 3), weighed)


def test_the_result_is_frozen_and_says_what_it_found(found: Carousel) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.targets = ()  # pyright: ignore[reportAttributeAccessIssue]
    layer = found.layers[-1]
    reach = layer.reach()
    assert reach is not None
    assert layer.carried[reach] >= 0.01 > layer.carried[reach + 1]
    assert f"In layer 1 the carousel alone carries 1% of a gradient for {reach} steps" in found.verdict
    assert f"a half-life of {float(layer.half_life.median()):.3g} steps" in found.verdict
    assert f"at lag {reach} {float(layer.share[reach]):.0%} of the gradient are its" in found.verdict
    endless = carousel(lively(CellSpec("lstm", forget_gate=False)), draw(T, B, 3), weighed)
    assert "still carries 1 of a gradient after 8 steps, with a half-life without end" in endless.verdict
    assert len(found.targets) == 16


def test_plots(found: Carousel) -> None:
    ax = Figure().subplots()
    found.plot(ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["whole", "carousel alone", "through h and peepholes"]
    assert ax.get_title() == "layer 1"
    drawn = ax.lines[1].get_ydata()
    assert abs(drawn[5] * float(found.layers[1].total[0] / found.layers[1].carousel[5]) - 1) <= 1e-9  # pyright: ignore
    found.plot(Figure().subplots(), layer=0)
    carousel(plain(forget_gate=False), draw(T, B, 3), weighed).plot(Figure().subplots())  # without a rest
    with pytest.raises(InputError, match="layer is 2; this net has 2 layers and directions"):
        found.plot(ax, layer=2)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"module": peephole.GRU(3, 5)}, "got a gru, which has no cell state for a carousel; expected an lstm"),
        ({"module": nn.RNN(3, 5)}, "got a rnn"),
        ({"module": nn.Linear(3, 5)}, "no recurrent net"),
        ({"batch": torch.zeros(1, B, 3)}, "at least 2 steps"),
        ({"divergence": lambda y: 3.0}, "returned float"),
        ({"divergence": lambda y: y.detach().sum()}, "does not depend"),
        ({"targets": 0}, "targets is 0; expected at least 1"),
        ({"targets": [T]}, "expected times from 0 to"),
        ({"divergence": lambda y: y[-1].sum(), "targets": [2]}, "does not depend on the output at t = 2"),
    ],
)
def test_bad_input(given: dict[str, Any], complaint: str) -> None:
    arguments = {"module": peephole.LSTM(3, 5), "batch": torch.zeros(T, B, 3), "divergence": lambda y: y.sum()} | given
    with pytest.raises(InputError, match=complaint) as raised:
        carousel(**arguments)
    assert "\n" not in str(raised.value)
