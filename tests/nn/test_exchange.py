"""Weights to and from torch.nn, by state_dict and by `from_torch` and `to_torch`; equal seeds give equal nets."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from peephole.errors import InputError
from peephole.nn.exchange import from_torch, to_torch
from peephole.nn.layers import GRU, LSTM, RNN, Recurrent

CELLS: dict[str, tuple[type[Recurrent], type[nn.RNNBase], dict[str, Any]]] = {
    "rnn tanh": (RNN, nn.RNN, {"nonlinearity": "tanh"}),
    "rnn relu": (RNN, nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (LSTM, nn.LSTM, {}),
    "lstm projected": (LSTM, nn.LSTM, {"proj_size": 2}),
    "gru": (GRU, nn.GRU, {}),
}
KEPT = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size")


def same(one: nn.Module, other: nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return list(left) == list(right) and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", CELLS)
def test_equal_seeds_give_equal_layers(name: str, bias: bool, bidirectional: bool) -> None:
    ours, theirs, options = CELLS[name]
    options = {"num_layers": 2, "bias": bias, "bidirectional": bidirectional, **options}
    torch.manual_seed(3)
    other = theirs(4, 7, **options)
    torch.manual_seed(3)
    layer = ours(4, 7, **options)
    assert same(layer, other)
    assert [[list(weight.shape) for weight in weights] for weights in layer.all_weights] == [
        [list(weight.shape) for weight in weights] for weights in other.all_weights
    ]
    before = copy.deepcopy(layer)
    layer.reset_parameters()
    other.reset_parameters()
    assert not same(layer, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", CELLS)
def test_state_dicts_load_both_ways(name: str, dtype: torch.dtype) -> None:
    ours, theirs, options = CELLS[name]
    layer = ours(4, 7, 2, bidirectional=True, dtype=dtype, **options)
    other = theirs(4, 7, 2, bidirectional=True, dtype=dtype, **options)
    assert not same(layer, other)
    layer.load_state_dict(other.state_dict())
    assert same(layer, other)
    layer.reset_parameters()
    other.load_state_dict(layer.state_dict())
    assert same(layer, other)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"num_layers": 3, "dropout": 0.25, "bidirectional": True, "dtype": torch.float64},
        {"bias": False, "batch_first": True},
    ],
)
@pytest.mark.parametrize("name", CELLS)
def test_there_and_back(name: str, given: dict[str, Any], training: bool) -> None:
    ours, theirs, options = CELLS[name]
    other = theirs(4, 7, **given, **options).train(training)
    layer = from_torch(other)
    back = to_torch(layer)
    assert type(layer) is ours
    assert type(back) is theirs
    for module in (layer, back):
        assert same(module, other)
        assert module.training == training
        assert [getattr(module, part) for part in KEPT] == [getattr(other, part) for part in KEPT]
        assert all(parameter.requires_grad for parameter in module.parameters())
    if name.startswith("rnn"):
        assert layer.nonlinearity == layer.spec.nonlinearity == back.nonlinearity == options["nonlinearity"]


def test_copies_share_no_memory() -> None:
    other = nn.LSTM(4, 7)
    layer = from_torch(other)
    back = to_torch(layer)
    with torch.no_grad():
        layer.weight_ih_l0.zero_()
    assert not same(layer, other)
    assert same(back, other)


@pytest.mark.parametrize("name", CELLS)
def test_a_layer_survives_copy_and_the_description_names_what_differs(name: str) -> None:
    ours, _, options = CELLS[name]
    layer = ours(4, 7, 2, bias=False, batch_first=True, dropout=0.5, bidirectional=True, backend="torch", **options)
    assert same(copy.deepcopy(layer), layer)
    text = repr(layer)
    for part in ("4, 7", "num_layers=2", "bias=False", "batch_first=True", "dropout=0.5", "bidirectional=True"):
        assert part in text
    assert "backend='torch'" in text
    assert ("proj_size=2" in text) == (name == "lstm projected")
    assert ("nonlinearity='relu'" in text) == (name == "rnn relu")


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize("module", [nn.LSTMCell(3, 4), nn.Linear(3, 4), nn.Identity()], ids=["cell", "linear", "none"])
def test_only_layers_of_torch_are_taken(module: nn.Module) -> None:
    with pytest.raises(InputError) as caught:
        from_torch(module)
    assert str(caught.value) == f"got a {type(module).__name__}; expected torch.nn.RNN, LSTM or GRU"
