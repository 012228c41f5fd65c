"""RNN, LSTM and GRU against torch.nn with the same weights: outputs, final states and every gradient.

torch.nn runs in float64 in both precisions, so that an error of its float32 kernels cannot excuse one of ours.
"""

import doctest
from collections.abc import Callable
from math import sqrt
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from peephole.nn import layers
from peephole.nn.layers import GRU, LSTM, RNN
from peephole.nn.recurrent import Recurrent

CELLS: dict[str, tuple[type[Recurrent], type[nn.RNNBase], dict[str, Any]]] = {
    "rnn tanh": (RNN, nn.RNN, {"nonlinearity": "tanh"}),
    "rnn relu": (RNN, nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (LSTM, nn.LSTM, {}),
    "lstm projected": (LSTM, nn.LSTM, {"proj_size": 3}),
    "gru": (GRU, nn.GRU, {}),
}
LAYOUTS = ("time first", "batch first", "unbatched", "packed sorted", "packed unsorted")
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
Results = dict[str, Tensor]


def twins(cell: str, dtype: torch.dtype, *sizes: int, **options: Any) -> tuple[Recurrent, nn.RNNBase]:
    """Ours in `dtype` and torch's in float64, with the same weights."""
    ours, theirs, given = CELLS[cell]
    torch.manual_seed(0)
    layer = ours(*sizes, dtype=dtype, **given, **options)
    other = theirs(*sizes, dtype=torch.float64, **given, **options)
    other.load_state_dict(layer.state_dict())
    return layer, other


def draw(*shape: int, seed: int) -> Tensor:
    """Numbers that float32 holds exactly, so that both precisions start from the same."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def run(module: nn.Module, layout: str, x: Tensor, initial: tuple[Tensor, ...] | None) -> Results:
    """Outputs, final states and gradients of everything, under one random upstream gradient per output."""
    dtype = next(module.parameters()).dtype
    module.zero_grad()
    x = x.to(dtype, copy=True).requires_grad_()
    fed: Tensor | PackedSequence = x
    if layout.startswith("packed"):
        lengths = torch.tensor([6, 4, 4, 1] if layout == "packed sorted" else [4, 1, 6, 4])
        fed = pack_padded_sequence(x, lengths, enforce_sorted=layout == "packed sorted")
    given: dict[str, Tensor] = {}
    if initial is None:
        output, finals = module(fed)
    else:
        given = {f"initial {i}": state.to(dtype, copy=True).requires_grad_() for i, state in enumerate(initial)}
        states = tuple(given.values())
        output, finals = module(fed, states if len(states) > 1 else states[0])
    results: Results = {}
    if isinstance(output, PackedSequence):
        for name in ("batch_sizes", "sorted_indices", "unsorted_indices"):
            if getattr(output, name) is not None:
                results[name] = getattr(output, name)
        output = output.data
    results["output"] = output
    results |= {f"final {i}": state for i, state in enumerate(finals if isinstance(finals, tuple) else (finals,))}
    reached = [tensor for tensor in results.values() if tensor.is_floating_point()]
    torch.autograd.backward(reached, [draw(*tensor.shape, seed=i).to(dtype) for i, tensor in enumerate(reached)])
    leaves = {"x": x, **given, **dict(module.named_parameters())}
    for name, leaf in leaves.items():
        assert leaf.grad is not None, name
        results[f"gradient of {name}"] = leaf.grad
    return results


def compare(layer: nn.Module, other: nn.Module, agree: Callable[..., None], *arguments: Any) -> None:
    got, want = run(layer, *arguments), run(other, *arguments)
    dtype = next(layer.parameters()).dtype
    assert list(got) == list(want)
    for name, tensor in want.items():
        assert got[name].dtype == (dtype if tensor.is_floating_point() else tensor.dtype), name
        # A parameter's gradient is a sum over steps and rows, which may cancel: its error is that of its terms.
        terms = sqrt(arguments[1][..., 0].numel()) if name.startswith("gradient") else 0.0
        agree(got[name], tensor, TOLERANCE[dtype], name, floor=max(0.01, 0.03 * terms))


def initial_states(layer: Recurrent, batch: tuple[int, ...]) -> tuple[Tensor, ...]:
    count = layer.num_layers * layer.num_directions
    sizes = layer.spec.state_sizes(layer.hidden_size, layer.proj_size)
    return tuple(draw(count, *batch, size, seed=50 + i) for i, size in enumerate(sizes))


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(layers)
    assert result.failed == 0
    assert result.attempted >= 6


@pytest.mark.parametrize("given", [True, False], ids=["given states", "zero states"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "both directions"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_option_in_float64(
    cell: str, bias: bool, depth: int, bidirectional: bool, layout: str, given: bool, agree: Callable[..., None]
) -> None:
    layer, other = twins(
        cell,
        torch.float64,
        3,
        5,
        num_layers=depth,
        bias=bias,
        bidirectional=bidirectional,
        batch_first=layout == "batch first",
    )
    shape = {"batch first": (4, 6, 3), "unbatched": (6, 3)}.get(layout, (6, 4, 3))
    initial = initial_states(layer, () if layout == "unbatched" else (4,)) if given else None
    compare(layer, other, agree, layout, draw(*shape, seed=9), initial)


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_named_back_ends_in_float32(cell: str, layout: str, backend: str, agree: Callable[..., None]) -> None:
    layer, other = twins(
        cell, torch.float32, 3, 5, num_layers=2, bidirectional=True, batch_first=layout == "batch first"
    )
    layer.backend = backend
    shape = {"batch first": (4, 6, 3), "unbatched": (6, 3)}.get(layout, (6, 4, 3))
    initial = initial_states(layer, () if layout == "unbatched" else (4,))
    compare(layer, other, agree, layout, draw(*shape, seed=9), initial)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(
    ("hidden", "batch", "steps"),  # every pair of a hidden size with a batch or a length, and of a batch with a length
    [
        *[(1, 1, 2), (1, 3, 61), (1, 17, 1)],
        *[(7, 1, 61), (7, 3, 1), (7, 17, 2)],
        *[(33, 1, 1), (33, 3, 2), (33, 17, 61)],
        *[(130, 1, 61), (130, 3, 1), (130, 17, 2)],
    ],
)
@pytest.mark.parametrize("cell", [name for name in CELLS if name != "lstm projected"])
def test_odd_sizes(
    cell: str, hidden: int, batch: int, steps: int, dtype: torch.dtype, agree: Callable[..., None]
) -> None:
    layer, other = twins(cell, dtype, max(1, hidden // 3), hidden, bidirectional=True)
    x = draw(steps, batch, layer.input_size, seed=9)
    compare(layer, other, agree, "time first", x, initial_states(layer, (batch,)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("hidden", "batch", "steps"), [(4, 1, 61), (7, 17, 1), (33, 3, 2), (130, 17, 61)])
def test_odd_sizes_of_a_projection(
    hidden: int, batch: int, steps: int, dtype: torch.dtype, agree: Callable[..., None]
) -> None:
    layer, other = twins("lstm projected", dtype, 11, hidden, bidirectional=True)
    compare(layer, other, agree, "time first", draw(steps, batch, 11, seed=9), initial_states(layer, (batch,)))


@pytest.mark.parametrize("steps", [1, 2, 61])
@pytest.mark.parametrize("batch", [1, 3, 17])
@pytest.mark.parametrize("hidden", [1, 7, 33, 130])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.slow
def test_all_odd_sizes(cell: str, hidden: int, batch: int, steps: int, agree: Callable[..., None]) -> None:
    if cell == "lstm projected":
        hidden = max(hidden, 4)  # the projection is narrower
    for dtype in TOLERANCE:
        layer, other = twins(cell, dtype, 9, hidden, bidirectional=True, num_layers=2)
        compare(layer, other, agree, "time first", draw(steps, batch, 9, seed=9), initial_states(layer, (batch,)))


@pytest.mark.parametrize("cell", CELLS)
def test_an_empty_batch(cell: str, agree: Callable[..., None]) -> None:
    layer, other = twins(cell, torch.float32, 3, 5, bidirectional=True)
    output, finals = layer(torch.zeros(6, 0, 3))
    want, want_finals = other(torch.zeros(6, 0, 3, dtype=torch.float64))
    assert output.shape == want.shape
    for got, state in zip(finals, want_finals, strict=True):
        assert got.shape == state.shape
    output.sum().backward()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in layer.parameters())


@pytest.mark.parametrize("cell", CELLS)
def test_dropout_acts_between_layers_and_only_in_training(cell: str, agree: Callable[..., None]) -> None:
    layer, other = twins(cell, torch.float64, 3, 5, num_layers=2, bidirectional=True, dropout=1.0)
    x = draw(6, 4, 3, seed=9)
    compare(layer, other, agree, "time first", x, None)  # the second layer sees zeros
    dropped = layer(x)[0]
    compare(layer.eval(), other.eval(), agree, "time first", x, None)
    assert float((layer(x)[0] - dropped).detach().abs().max()) >= 0.01


def test_dropout_zeroes_its_share_and_scales_the_rest(agree: Callable[..., None]) -> None:
    torch.manual_seed(0)
    layer = RNN(3, 20, num_layers=2, nonlinearity="relu", bias=False, dropout=0.25, dtype=torch.float64)
    nn.init.eye_(layer.weight_ih_l1)
    nn.init.zeros_(layer.weight_hh_l1)  # the second layer now hands on what it is given
    x = draw(100, 8, 3, seed=9)
    with torch.no_grad():
        first, second = layer(x)[0], layer(x)[0]
        whole = layer.eval()(x)[0]
    assert not torch.equal(first, second)
    for dropped in (first, second):
        gone = (dropped == 0) & (whole > 0)
        assert abs(float(gone.sum() / (whole > 0).sum()) - 0.25) <= 0.02
        agree(dropped, whole.masked_fill(gone, 0.0) / 0.75, 1e-12)


@pytest.mark.parametrize("backend", ["auto", "torch", "reference"])
@pytest.mark.parametrize("cell", CELLS)
def test_frozen_parts_get_no_gradient_and_the_rest_is_right(
    cell: str, backend: str, agree: Callable[..., None]
) -> None:
    layer, other = twins(cell, torch.float64, 3, 5)
    layer.backend = backend
    for module in (layer, other):
        module.weight_hh_l0.requires_grad_(False)
        module(draw(6, 4, 3, seed=9))[0].square().sum().backward()
        assert module.weight_hh_l0.grad is None
    agree(layer.weight_ih_l0.grad, other.weight_ih_l0.grad, 1e-12)
    with torch.no_grad():
        output, _ = layer(draw(6, 4, 3, seed=9))
    assert not output.requires_grad
