"""StaticModel: a perceptron over all steps, called as a SequenceModel."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.models.static import StaticModel

T, B, V, O, H = 5, 3, 4, 6, 7


def build(**options: Any) -> StaticModel:
    torch.manual_seed(0)
    return StaticModel(**({"symbols": V, "outputs": O, "steps": T, "hidden_size": H} | options))


@pytest.fixture
def symbols() -> Tensor:
    return torch.randint(0, V, (T, B), generator=torch.Generator().manual_seed(1))


def by_hand(model: StaticModel, rows: Tensor) -> Tensor:
    """Row by row, with the same weights: `[B, T·W] -> [T, B, O]`."""
    found = []
    for values in rows:
        for layer in model.hidden:
            values = (layer.weight @ values + layer.bias).clamp_min(0)
        found.append((model.head.weight @ values + model.head.bias).view(model.steps, model.outputs))
    return torch.stack(found, 1)


def test_it_is_a_perceptron_over_all_steps(symbols: Tensor, agree: Callable[..., None]) -> None:
    model = build(layers=2)
    outputs, states = model(symbols)
    rows = torch.stack([torch.cat([torch.eye(V)[int(symbol)] for symbol in row]) for row in symbols.T])
    agree(outputs, by_hand(model, rows), 1e-5)
    assert states == model.initial_states(B) == ()
    sizes = [(T * V, H), (H, H), (H, T * O)]
    assert sum(parameter.numel() for parameter in model.parameters()) == sum((i + 1) * o for i, o in sizes)


def test_embedded_symbols_and_numbers(symbols: Tensor, agree: Callable[..., None]) -> None:
    model = build(embedding_size=2)
    assert model.embedding is not None
    rows = model.embedding.weight[symbols.T].flatten(1)
    agree(model(symbols)[0], by_hand(model, rows), 1e-5)
    model, numbers = build(symbols=0, features=3), torch.randn(T, B, 3)
    agree(model(numbers)[0], by_hand(model, numbers.transpose(0, 1).flatten(1)), 1e-5)


def test_every_step_has_weights_of_its_own(symbols: Tensor) -> None:
    """Unlike a recurrent net it is told nothing of the one step by another."""
    model = build()
    turned = model(symbols.roll(1, 0))[0]
    assert not torch.allclose(turned, model(symbols)[0].roll(1, 0), atol=1e-3)


def test_shorter_ones_are_filled_up_and_longer_ones_cut(symbols: Tensor, agree: Callable[..., None]) -> None:
    model = build()
    short = model(symbols[:2])[0]
    rows = torch.cat([torch.eye(V)[symbols[:2].T].flatten(1), torch.zeros(B, 3 * V)], 1)
    agree(short, by_hand(model, rows)[:2], 1e-5)
    long, _ = model(torch.cat([symbols, symbols]))
    assert torch.equal(long[:T], model(symbols)[0])
    assert long.shape == (2 * T, B, O)
    assert not long[T:].any()


def test_widened_it_answers_the_same_where_nothing_comes_in_addition(
    symbols: Tensor, agree: Callable[..., None]
) -> None:
    model = build(layers=2, embedding_size=3)
    wide = model.widened(T + 2)
    agree(wide(symbols)[0], model(symbols)[0], 1e-5)  # zeros in the new steps
    longer = torch.cat([symbols, torch.ones(2, B, dtype=torch.int64)])
    assert not torch.allclose(wide(longer)[0][:T], model(symbols)[0], atol=1e-3)
    assert wide(longer)[0][T:].abs().sum() > 0
    assert wide.steps == T + 2
    with pytest.raises(InputError, match="steps is 5; expected more than the 5 that the net reads"):
        model.widened(T)


def test_it_is_called_and_trained_as_a_sequence_model(symbols: Tensor) -> None:
    recurrent = SequenceModel(V, ModelConfig(layers=1, hidden_size=4, embedding_size=2, dropout=0.0), O)
    nets: list[nn.Module] = [build(), recurrent]
    for net in nets:
        outputs, states = net(symbols, None, torch.zeros(T, B, dtype=torch.bool), torch.tensor(1))
        assert outputs.shape == (T, B, O)
        assert isinstance(states, tuple)
        outputs.square().sum().backward()
        assert all(parameter.grad is not None for parameter in net.parameters())


def test_it_has_no_states(symbols: Tensor) -> None:
    message = "a static net has no state to go on from or to reset; expected whole sequences"
    for arguments in (((torch.zeros(1, B, H),), None), (None, torch.ones(T, B, dtype=torch.bool))):
        with pytest.raises(InputError, match=message):
            build()(symbols, *arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 2}, "got 4 symbols and 2 features; expected one of them to be the input"),
        ({"symbols": 0}, "got 0 symbols and 0 features; expected one of them to be the input"),
        ({"steps": 0}, "steps is 0; expected at least 1"),
        ({"layers": 0}, "layers is 0; expected at least 1"),
        ({"embedding_size": -1}, "embedding_size is -1; expected at least 0, and 0 where numbers go in"),
    ],
    ids=str,
)
def test_sizes_that_fit_no_net(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(**options)
