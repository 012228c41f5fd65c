"""Streamed equals the whole sequence: every cell and odd size against the equations in float64."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole._native import instructions
from peephole.streams.snapshot import Snapshot
from peephole.streams.stream import Stream

from ..cells import MATRIX
from .nets import exact, inputs, language_model, net, solve, some_resets

TOLERANCE = 1e-5
T = 5
# H × B with I in turn, L too: each cell takes every other one.
ODD_SIZES = [
    *[(1, 1, 1), (1, 5, 17), (1, 40, 300), (1, 5, 3)],
    *[(7, 5, 1), (7, 40, 3), (7, 1, 17), (7, 1, 300)],
    *[(33, 40, 1), (33, 1, 3), (33, 5, 300), (33, 40, 17)],
    *[(130, 1, 1), (130, 5, 3), (130, 40, 17), (130, 5, 300)],
]
SETS = instructions.supported()

# The equations are slow enough without checks of their annotations.
pytestmark = pytest.mark.usefixtures("poisoned_memory", "unchecked_annotations")


def options_of(name: str, turn: int) -> dict[str, Any]:
    """Learned states, zoneout, neither or both."""
    options: dict[str, Any] = {"learned_states": turn % 2 == 1}
    if turn % 3 == 1:
        options |= {"zoneout": 0.2, "zoneout_cell": 0.4 if "c" in MATRIX[name].states else 0.0}
    return options


def by_steps(stream: Stream, x: Tensor, resets: Tensor | None) -> Tensor:
    """Step after step, where the read takes them at once."""
    outputs: list[Tensor] = []
    for t in range(len(x)):
        if resets is not None and bool(resets[t].any()):
            stream.reset(stream.ids[resets[t]])
        outputs.append(stream.step(x[t]))
    return torch.stack(outputs)


@pytest.mark.parametrize("name", MATRIX)
def test_every_cell_and_odd_size(name: str, agree: Callable[..., None]) -> None:
    number = list(MATRIX).index(name)
    for i, (hidden, size, batch) in enumerate(ODD_SIZES[number % 2 :: 2]):
        turn = number // 2 + i
        made = net(name, size, hidden, 1 + (turn % 5 > 1), **options_of(name, turn))
        x, resets = inputs(made, T, batch), some_resets(T, batch) if turn % 4 > 1 else None
        want, states = solve(exact(made), x, resets)
        with instructions.using(SETS[turn % len(SETS)]):
            stream = made.stream(batch)
            assert stream.engine == "native"
            got = stream.read(x, resets=resets)
            agree(got, want, TOLERANCE, f"output of {hidden, size, batch}")
            agree(stream.states(), states, TOLERANCE, f"states of {hidden, size, batch}")
            again = made.stream(batch)
            assert torch.equal(by_steps(again, x, resets), got), (hidden, size, batch)
            assert torch.equal(again.states(), stream.states()), (hidden, size, batch)


@pytest.mark.parametrize("name", MATRIX)
def test_noise_of_training_is_left_out(name: str, agree: Callable[..., None]) -> None:
    """But zoneout, of which evaluation has the mean."""
    noise: dict[str, Any] = {"zoneout": 0.1, "dropout": 0.5}
    if "weight_hh" in MATRIX[name].parameter_names():
        noise |= {"recurrent_dropout": 0.5, "weight_drop": 0.5}
    made = net(name, layers=2, **noise).train()
    x = inputs(made, T, 3)
    agree(made.stream(3).read(x), solve(exact(made), x)[0], TOLERANCE)
    assert made.training


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_modules_of_other_dtypes(dtype: torch.dtype, agree: Callable[..., None]) -> None:
    made = net("lstm").to(dtype)
    x = inputs(made, T, 3)
    stream = made.stream(3)
    got = stream.read(x.to(dtype))
    assert got.dtype == torch.float32
    agree(got, solve(exact(made), x.to(dtype))[0], TOLERANCE)
    assert torch.equal(made.stream(3).step(x[0].to(dtype)), got[0])


@pytest.mark.parametrize("vocabulary", [9, 600])  # whose input products are looked up, and are not
@pytest.mark.parametrize("layers", [1, 2])
def test_models_of_symbols(vocabulary: int, layers: int, instruction_set: str, agree: Callable[..., None]) -> None:
    model = language_model(vocabulary, layers, cell="lstm", learned_states=True)
    symbols = torch.randint(vocabulary, (T, 17), generator=torch.Generator().manual_seed(3))
    resets = some_resets(T, 17)
    with torch.no_grad():
        logits, _ = model.double()(symbols, resets=resets)
    want = torch.log_softmax(logits, dim=-1)
    model.float()
    stream = model.stream(17)
    assert (stream.symbols, stream.width) == (vocabulary, vocabulary)
    got = stream.read(symbols, resets=resets)
    agree(got, want, TOLERANCE)
    assert torch.equal(by_steps(model.stream(17), symbols, resets), got)
    assert bool(((got.double().exp().sum(-1) - 1).abs() <= 1e-5).all())
    targets = symbols.flip(0).contiguous()
    found = model.stream(17).surprisals(symbols, targets, resets=resets)
    agree(found, -want.gather(-1, targets[..., None])[..., 0], TOLERANCE)


def test_many_symbols_lose_nothing(instruction_set: str) -> None:
    """Sums of one rounding after another would be off by 2e-5."""
    bias = torch.zeros(50_000)
    bias[0] = 0.3
    made = net("rnn tanh", 2, 3)
    source = made.source(head=torch.zeros(50_000, 3), bias=bias)
    got = Snapshot.of(source).stream(1).step(torch.zeros(1, 2))[0]
    assert bool((got.double() - torch.log_softmax(bias.double(), -1)).abs().max() <= 2e-6)


def test_a_head_without_symbols(agree: Callable[..., None]) -> None:
    """Logits, or what a linear map gives."""
    made = net("gru")
    x, head, bias = inputs(made, T, 3), torch.randn(4, 7), torch.randn(4)
    for one in (bias, None):
        want = solve(exact(made), x)[0] @ head.double().t() + (0 if one is None else one.double())
        for softmax in (True, False):
            source = replace(made.source(head=head, bias=one), softmax=softmax)
            got = Snapshot.of(source).stream(3).read(x)
            agree(got, torch.log_softmax(want, dim=-1) if softmax else want, TOLERANCE)


@pytest.mark.parametrize("features", [1, 3, 41])
@pytest.mark.parametrize("storage", ["float32", "bfloat16", "int8"])
def test_a_linear_map_before_the_layers(features: int, storage: str, agree: Callable[..., None]) -> None:
    made = net("lstm", 5, 33, 2)
    generator = torch.Generator().manual_seed(0)
    entry, shift = torch.randn(5, features, generator=generator), torch.randn(5, generator=generator)
    x, resets = torch.randn(T, 17, features, generator=generator), some_resets(T, 17)
    for one in (shift, None):
        fed = x.double() @ entry.double().t() + (0 if one is None else one.double())
        want, states = solve(exact(made), fed, resets)
        snapshot = Snapshot.of(replace(made.source(), entry=entry, entry_bias=one), storage)
        stream = snapshot.stream(17)
        got = stream.read(x, resets=resets)
        agree(got, want, TOLERANCE if storage == "float32" else 0.1)
        agree(stream.states(), states, TOLERANCE if storage == "float32" else 0.1)
        assert torch.equal(by_steps(snapshot.stream(17), x, resets), got)
        few = snapshot.stream(3).read(x[:, [16, 2, 5]].contiguous(), resets=resets[:, [16, 2, 5]])
        assert torch.equal(few, got[:, [16, 2, 5]])
