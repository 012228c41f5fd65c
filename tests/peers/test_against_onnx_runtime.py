"""Cells against ONNX Runtime's operators with the same weights, in float32: outputs and final states.

No row has length zero: its final state is the initial one with us, and zero with ONNX Runtime.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.bench.onnx_runtime import run_onnx
from peephole.nn.layers import GRU, LSTM, RNN
from peephole.nn.recurrent import Recurrent

CELLS: dict[str, tuple[type[Recurrent], dict[str, Any]]] = {
    "rnn tanh": (RNN, {}),
    "rnn relu": (RNN, {"nonlinearity": "relu"}),
    "rnn sigmoid": (RNN, {"nonlinearity": "sigmoid"}),
    "rnn identity": (RNN, {"nonlinearity": "identity"}),
    "lstm": (LSTM, {}),
    "lstm without biases": (LSTM, {"bias": False}),
    "lstm peepholes": (LSTM, {"peephole": "diagonal"}),
    "lstm coupled": (LSTM, {"coupled": True}),
    "lstm coupled peepholes": (LSTM, {"coupled": True, "peephole": "diagonal"}),
    "lstm no input gate": (LSTM, {"input_gate": False, "peephole": "diagonal"}),
    "lstm no forget gate": (LSTM, {"forget_gate": False, "peephole": "diagonal"}),
    "lstm no output gate": (LSTM, {"output_gate": False, "peephole": "diagonal"}),
    "lstm no input activation": (LSTM, {"input_activation": False, "peephole": "diagonal"}),
    "lstm no output activation": (LSTM, {"output_activation": False, "peephole": "diagonal"}),
    "lstm no activations": (LSTM, {"input_activation": False, "output_activation": False}),
    "gru reset after": (GRU, {}),
    "gru reset after, writes": (GRU, {"update": "writes"}),
    "gru reset before": (GRU, {"reset": "before"}),
    "gru reset before, writes": (GRU, {"reset": "before", "update": "writes"}),
}
SIZES = ((1, 1, 1, 1), (5, 3, 4, 7), (12, 2, 9, 33))
TOLERANCE = 1e-5


def filled(cell: str, input_size: int, hidden_size: int, bidirectional: bool) -> Recurrent:
    """The layer, with weights that every gate feels."""
    kind, options = CELLS[cell]
    layer = kind(input_size, hidden_size, bidirectional=bidirectional, **options)
    generator = torch.Generator().manual_seed(hidden_size)
    with torch.no_grad():
        for parameter in layer.parameters():
            scale = 0.5 if parameter.dim() == 1 else parameter.shape[1] ** -0.5
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return layer


def fed(layer: Recurrent, steps: int, batch: int, ragged: bool) -> tuple[Tensor, tuple[Tensor, ...], Tensor | None]:
    """Input, initial states and, where rows are to end before the last step, their lengths."""
    generator = torch.Generator().manual_seed(steps)
    x = torch.randn(steps, batch, layer.input_size, generator=generator)
    shape = (layer.num_directions, batch, layer.hidden_size)
    states = tuple(0.7 * torch.randn(shape, generator=generator) for _ in layer.spec.states)
    return x, states, (1 + torch.arange(batch) * 3) % steps + 1 if ragged else None


def compare(
    agree: Callable[..., None], layer: Recurrent, x: Tensor, states: tuple[Tensor, ...], lengths: Tensor | None
) -> None:
    """Ours on both back ends against theirs."""
    want, want_finals = run_onnx(layer, x, states, lengths)
    for backend in ("auto", "reference"):
        layer.backend = backend
        with torch.no_grad():
            got, finals = layer(x, states[0] if len(states) == 1 else states or None, lengths=lengths)
        finals = (finals,) if isinstance(finals, Tensor) else finals
        agree(got, want, TOLERANCE, f"{backend}: output")
        for name, state, want_state in zip(layer.spec.states, finals, want_finals, strict=True):
            agree(state, want_state, TOLERANCE, f"{backend}: final {name}")


@pytest.mark.parametrize("ragged", [False, True], ids=["all steps", "lengths"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both directions"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_output_and_final_states(
    agree: Callable[..., None], cell: str, sizes: tuple[int, ...], bidirectional: bool, ragged: bool
) -> None:
    steps, batch, input_size, hidden_size = sizes
    layer = filled(cell, input_size, hidden_size, bidirectional)
    compare(agree, layer, *fed(layer, steps, batch, ragged))


@pytest.mark.parametrize("cell", CELLS)
def test_states_start_at_zero(agree: Callable[..., None], cell: str) -> None:
    layer = filled(cell, 4, 7, True)
    x, _, lengths = fed(layer, 5, 3, True)
    compare(agree, layer, x, (), lengths)
