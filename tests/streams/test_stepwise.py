"""Streams through a module's own forward: a cell of the user's, or a module that the compiled decoder cannot run."""

import logging
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

import peephole
from peephole import spec as specs
from peephole._native import instructions
from peephole.errors import InputError
from peephole.nn.recurrent import Recurrent
from peephole.reference import sequence
from peephole.streams.stepwise import say_slow
from peephole.streams.stream import Stream

from ..cells import MATRIX
from .nets import exact, inputs, language_model, net, solve, some_resets

SLOW = "streams through its module's forward, step by step: slow"


@pytest.fixture
def own() -> Iterator[Recurrent]:
    """A layer of a registered cell with two states, which afterwards nobody knows."""
    families, steps = dict(specs.FAMILIES), dict(sequence.STEPS)

    @peephole.register_cell("leaky", gates=("u",), states=("h", "c"))
    def leaky(z: dict[str, Tensor], states: tuple[Tensor, ...], weights: dict[str, Tensor]) -> tuple[Tensor, ...]:
        h, c = states
        c = 0.9 * c + 0.1 * torch.tanh(z["u"] + h @ weights["weight_hh"].T)
        return c * h.cos(), c

    assert leaky is not None
    say_slow.cache_clear()
    torch.manual_seed(0)
    made = Recurrent("leaky", 5, 7, 2, learned_states=True)
    with torch.no_grad():
        made.state_h_l0.normal_()
    yield made
    specs.FAMILIES.clear()
    specs.FAMILIES.update(families)
    sequence.STEPS.clear()
    sequence.STEPS.update(steps)
    specs.parse_spec.cache_clear()
    say_slow.cache_clear()


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    return [line for line in found if SLOW in line]


def test_a_cell_of_ones_own(own: Recurrent, caplog: pytest.LogCaptureFixture, agree: Callable[..., None]) -> None:
    x, resets = inputs(own, 6, 3), some_resets(6, 3)
    want, states = solve(own, x, resets)
    stream = own.stream(3)
    assert stream.engine == "stepwise"
    got: list[Tensor] = []
    for t in range(6):
        stream.reset(stream.ids[resets[t]])
        got.append(stream.step(x[t]))
    agree(torch.stack(got), want, 1e-6)
    agree(stream.states(), states, 1e-6)
    again = own.stream(3)
    agree(again.read(x, resets=resets), want, 1e-6)
    again.step(x[0])
    (line,) = warnings_of(caplog)  # once, whoever steps
    assert line == f"leaky {SLOW} (the compiled decoder knows the cells of ours, not 'leaky')"


@pytest.mark.parametrize("storage", ["bfloat16", "int8"])
def test_low_precision_needs_the_decoder(own: Recurrent, storage: str) -> None:
    reason = "the compiled decoder knows the cells of ours, not 'leaky'"
    with pytest.raises(InputError) as caught:
        own.stream(1, storage)
    assert str(caught.value) == (
        f"weights={storage!r} need the compiled decoder, and {reason}; stream with weights='float32'"
    )
    for call in (lambda: own.snapshot(storage), lambda: own.stream(1, storage, backend="native")):
        with pytest.raises(InputError, match="no snapshot of leaky: the compiled decoder knows the cells of ours"):
            call()


def test_weights_that_are_not_finite(own: Recurrent) -> None:
    own.weight_hh_l1.data[0, 0] = float("inf")
    with pytest.raises(InputError, match="weight_hh_l1 has 1 of 49 numbers that are not finite"):
        own.stream()


def test_an_installation_without_kernels(
    without_native: None, caplog: pytest.LogCaptureFixture, agree: Callable[..., None]
) -> None:
    say_slow.cache_clear()
    made = net("gru")
    x = inputs(made, 3, 2)
    stream = made.stream(2)
    assert stream.engine == "stepwise"
    agree(torch.stack([stream.step(one) for one in x]), solve(exact(made), x)[0], 1e-5)
    assert warnings_of(caplog) == [f"gru {SLOW} ({instructions.VARIABLE}=none switches the compiled kernels off)"]
    say_slow.cache_clear()


def test_asked_for_it_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    made = net("gru")
    made.stream(2, backend="stepwise").step(torch.zeros(2, 5))
    assert warnings_of(caplog) == []


@pytest.mark.usefixtures("unchecked_annotations")  # which take most of the time
@pytest.mark.parametrize("name", MATRIX)
def test_both_engines_give_the_same(name: str, agree: Callable[..., None]) -> None:
    made = net(name, layers=2, learned_states=True, zoneout=0.2).train()
    x, resets = inputs(made, 4, 5), some_resets(4, 5)
    native, stepwise = made.stream(5), made.stream(5, backend="stepwise")
    assert (native.width, native.record, native.symbols) == (stepwise.width, stepwise.record, stepwise.symbols)
    agree(stepwise.read(x, resets=resets), native.read(x, resets=resets), 1e-5)
    for stream in (native, stepwise):
        stream.leave([1, 3])
        stream.copy([0], [4])
        assert stream.join(3).tolist() == [3, 1, 5]
        stream.reset([2])
    assert stepwise.ids.tolist() == native.ids.tolist()
    for ids in (None, [5, 0], [3]):
        x = inputs(made, 1, 6 if ids is None else len(ids), 7)[0]
        agree(stepwise.step(x, ids), native.step(x, ids), 1e-5)
    agree(stepwise.states(), native.states(), 1e-5)
    assert made.training


def test_symbols(agree: Callable[..., None]) -> None:
    model = language_model(layers=2, dropout=0.5, learned_states=True).train()
    symbols, resets = torch.randint(9, (5, 4)), some_resets(5, 4)
    native, stepwise = model.stream(4), model.stream(4, backend="stepwise")
    agree(stepwise.read(symbols, resets=resets), native.read(symbols, resets=resets), 1e-5)
    targets = symbols.flip(0).contiguous()
    agree(stepwise.surprisals(symbols, targets), native.surprisals(symbols, targets), 1e-5)
    assert not stepwise.states().requires_grad
    with pytest.raises(InputError, match="this model has no compiled decoder to draw with"):
        stepwise.draw(torch.zeros(4, dtype=torch.int64), 3)


def test_it_runs_the_module_as_it_is_by_then() -> None:
    """A snapshot does not change; this one has none."""
    made = net("gru")
    stream: Stream = made.stream(1, backend="stepwise")
    x = torch.ones(1, 5)
    before = stream.step(x)
    made.bias_ih_l0.data.add_(1)
    stream.reset()
    assert bool((stream.step(x) - before).abs().max() > 0.1)


def test_threads_are_as_before() -> None:
    torch.set_num_threads(2)
    stream = net("gru").stream(2, backend="stepwise")
    stream.step(torch.zeros(2, 5))
    assert torch.get_num_threads() == 2
