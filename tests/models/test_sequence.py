"""SequenceModel: shapes, states that carry on, resets, dropout, and where training starts."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.nn.initialisation import gate_rows

T, B, V, H = 9, 4, 11, 6
CELLS = ["lstm", "gru", "rnn"]


def build(cell: str = "lstm", **options: Any) -> SequenceModel:
    torch.manual_seed(0)
    return SequenceModel(
        V, ModelConfig(**{"cell": cell, "hidden_size": H, "embedding_size": 5, "dropout": 0.0} | options)
    )


@pytest.fixture
def symbols() -> Tensor:
    return torch.randint(0, V, (T, B), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_shapes(cell: str, layers: int, symbols: Tensor) -> None:
    model = build(cell, layers=layers)
    logits, states = model(symbols)
    assert logits.shape == (T, B, V)
    assert logits.dtype == torch.float32
    assert model.vocabulary == V
    assert isinstance(states, tuple)
    assert [state.shape for state in states] == [(layers, B, H)] * (2 if cell == "lstm" else 1)
    zeros = model.initial_states(B)
    assert [state.shape for state in zeros] == [state.shape for state in states]
    assert all(state.dtype == torch.float32 and not state.any() for state in zeros)
    assert torch.equal(model(symbols, zeros)[0], logits)


@pytest.mark.parametrize("cell", CELLS)
def test_it_is_embedding_layers_and_head(cell: str, symbols: Tensor, agree: Callable[..., None]) -> None:
    model = build(cell)
    output, _ = model.recurrent(model.embedding.weight[symbols])
    agree(model(symbols)[0], output @ model.head.weight.T + model.head.bias, 1e-5)


@pytest.mark.parametrize("parts", [[1] * T, [4, 5]], ids=["steps", "halves"])
@pytest.mark.parametrize("cell", CELLS)
def test_states_carry_on(cell: str, parts: list[int], symbols: Tensor, agree: Callable[..., None]) -> None:
    model = build(cell)
    want, want_states = model(symbols)
    outputs, states = [], None
    for part in symbols.split(parts):
        logits, states = model(part, states)
        outputs.append(logits)
    agree(torch.cat(outputs), want, 1e-5)
    for got, state in zip(states, want_states, strict=True):
        agree(got, state, 1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_reset_begins_anew(cell: str, symbols: Tensor, agree: Callable[..., None]) -> None:
    model = build(cell)
    before = tuple(torch.randn_like(state) for state in model.initial_states(B))
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[0, 0] = resets[4, 1] = resets[8, 1] = True
    logits, states = model(symbols, before, resets)
    agree(logits[:, :1], model(symbols[:, :1])[0], 1e-5)
    first = tuple(state[:, 1:2].contiguous() for state in before)
    agree(logits[:4, 1:2], model(symbols[:4, 1:2], first)[0], 1e-5)
    agree(logits[4:8, 1:2], model(symbols[4:8, 1:2])[0], 1e-5)
    last, ends = model(symbols[8:, 1:2])
    agree(logits[8:, 1:2], last, 1e-5)
    for got, end in zip(states, ends, strict=True):
        agree(got[:, 1:2], end, 1e-5)
    rest = tuple(state[:, 2:].contiguous() for state in before)
    agree(logits[:, 2:], model(symbols[:, 2:], rest)[0], 1e-5)


def test_dropout_acts_in_training_only(symbols: Tensor) -> None:
    model = build(dropout=0.5)
    assert not torch.equal(model(symbols)[0], model(symbols)[0])
    model.eval()
    assert torch.equal(model(symbols)[0], model(symbols)[0])
    alone = build(dropout=0.5, layers=1)  # nothing lies between layers: what is dropped is the head's input
    assert alone.recurrent.dropout == 0.0
    assert not torch.equal(alone(symbols)[0], alone(symbols)[0])


def test_the_states_that_carry_on_are_not_dropped(symbols: Tensor) -> None:
    model = build(dropout=0.9, layers=1)
    states = [model(symbols)[1] for _ in range(2)]
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))


def test_every_parameter_gets_a_gradient(symbols: Tensor) -> None:
    for cell in CELLS:
        model = build(cell)
        model(symbols)[0].square().sum().backward()
        assert all(bool(parameter.grad.any()) for parameter in model.parameters()), cell


def test_it_starts_as_the_settings_say() -> None:
    model = build(forget_bias=1.5)
    for named in model.recurrent.named_layers():
        total = (named["bias_ih"] + named["bias_hh"]).detach()
        assert torch.equal(total[gate_rows(model.recurrent.spec, "f", H)], torch.full((H,), 1.5))
        for block in named["weight_hh"].detach().chunk(4):
            assert float((block @ block.T - torch.eye(H)).abs().max()) <= 1e-5
    assert not model.head.bias.any()
    assert build("rnn", nonlinearity="relu", init="identity").recurrent.spec.nonlinearity == "relu"
    assert build(backend="reference").recurrent.backend == "reference"


def test_chrono_keeps_its_forget_biases() -> None:
    """`forget_bias` has a default, and it must not undo what chrono drew."""
    model = build(init="chrono", longest=100)
    for named in model.recurrent.named_layers():
        total = (named["bias_ih"] + named["bias_hh"]).detach()
        forget, write = (total[gate_rows(model.recurrent.spec, gate, H)] for gate in "fi")
        assert len(set(forget.tolist())) == H
        assert torch.equal(forget, -write)


def test_states_that_do_not_fit_are_refused(symbols: Tensor) -> None:
    model = build()
    with pytest.raises(InputError, match=r"initial state h has shape \[2, 3, 6\]; expected \[2, 4, 6\]"):
        model(symbols, model.initial_states(3))
    with pytest.raises(InputError, match="got 1 initial states; a lstm has 2: h, c"):
        model(symbols, model.initial_states(B)[:1])
