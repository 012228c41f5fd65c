"""Weights to and from torch.nn, by state_dict and by `from_torch` and `to_torch`; equal seeds give equal nets."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from peephole.errors import InputError
from peephole.nn.cells import GRUCell, LSTMCell, RNNCell
from peephole.nn.exchange import from_torch, to_torch
from peephole.nn.layers import GRU, LSTM, RNN
from peephole.nn.recurrent import Recurrent

from ..cells import MATRIX, PLAIN

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


# --- cells that torch.nn lacks ---

LAYERS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
STEPS = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}


def keywords(name: str) -> dict[str, Any]:
    """The cell of the matrix as keywords of a public class."""
    spec = MATRIX[name]
    options = {switch: value for switch, value in spec.changes.items() if switch != "projected"}
    return options | ({"proj_size": 2} if spec.projected else {})


@pytest.mark.parametrize("name", MATRIX)
def test_what_torch_lacks_stays_here_and_is_named(name: str) -> None:
    spec = MATRIX[name]
    layer = LAYERS[spec.family](4, 7, **keywords(name))
    if name in PLAIN or set(spec.changes) <= {"bias", "projected"}:
        assert same(to_torch(layer), layer)
        return
    with pytest.raises(InputError) as caught:
        to_torch(layer)
    assert str(caught.value) == f"torch.nn has no {spec.beyond_torch}; keep {layer!r} as it is"
    for switch in set(spec.changes) - {"bias", "projected"}:
        assert f"{switch}={spec.changes[switch]}" in spec.beyond_torch


@pytest.mark.parametrize(
    ("layer", "lacking"),
    [
        (GRU(3, 4, update="writes", bias=False), "gru with update=writes"),
        (LSTM(3, 4, variant="NFG"), "lstm with peephole=diagonal, forget_gate=False"),
        (LSTM(3, 4, zoneout=0.1), "noise in the recurrence"),
        (LSTM(3, 4, learned_states=True), "learned states"),
        (
            RNN(3, 4, taps=2, weight_drop=0.5, learned_states=True),
            "rnn with taps=2 and no noise in the recurrence and no learned states",
        ),
    ],
)
def test_everything_that_torch_lacks_is_in_one_line(layer: Recurrent, lacking: str) -> None:
    with pytest.raises(InputError) as caught:
        to_torch(layer)
    assert str(caught.value) == f"torch.nn has no {lacking}; keep {layer!r} as it is"


@pytest.mark.parametrize("name", MATRIX)
def test_a_module_survives_copy_and_pickle_and_its_description_builds_it_again(name: str) -> None:
    spec = MATRIX[name]
    classes = {kind.__name__: kind for kind in (*LAYERS.values(), *STEPS.values())}
    for kind in (LAYERS[spec.family], STEPS[spec.family]):
        module = kind(4, 7, **keywords(name))
        again = pickle.loads(pickle.dumps(module))
        assert same(copy.deepcopy(module), module)
        assert same(again, module)
        assert again.spec == spec
        described = eval(repr(module), classes)
        assert described.spec == spec
        assert described.proj_size == module.proj_size
        assert repr(described) == repr(module)
        assert "projected" not in repr(module)
    layer = Recurrent(spec, 4, 7, proj_size=2 * spec.projected)
    assert repr(layer) == repr(LAYERS[spec.family](4, 7, **keywords(name)))


def test_a_preset_is_described_by_its_switches() -> None:
    assert repr(LSTM(3, 4, variant="NFG")) == "LSTM(3, 4, peephole='diagonal', forget_gate=False)"
    assert repr(LSTM(3, 4, variant="NP")) == "LSTM(3, 4)"
    assert (
        repr(LSTMCell(3, 4, variant="CIFG", proj_size=2))
        == "LSTMCell(3, 4, peephole='diagonal', coupled=True, proj_size=2)"
    )
    assert repr(RNN(3, 4, 2, taps=2, zoneout=0.1)) == "RNN(3, 4, taps=2, num_layers=2, zoneout=0.1)"


def test_a_pruned_layer_loads_its_own_state_dict() -> None:
    layer = LSTM(3, 4)
    prune.l1_unstructured(layer, "weight_hh_l0", 0.5)
    layer.load_state_dict(layer.state_dict())
