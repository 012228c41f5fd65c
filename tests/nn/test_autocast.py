"""Layers under autocast: bfloat16 operands, float32 states, results near the float32 ones."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from peephole.nn.cells import GRUCell, LSTMCell
from peephole.nn.layers import GRU, LSTM, RNN
from peephole.nn.recurrent import Recurrent

from ..cells import MATRIX, PLAIN


@pytest.mark.parametrize("lengths", [None, [12, 20, 0, 7, 1]], ids=["full", "lengths"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [(LSTM, {}), (LSTM, {"bias": False}), (LSTM, {"proj_size": 16}), (GRU, {}), (RNN, {})],
    ids=["lstm", "lstm without bias", "lstm projected", "gru", "rnn"],
)
def test_training_in_bfloat16_is_near_float32(
    kind: type[Recurrent], options: dict[str, Any], lengths: list[int] | None, agree: Callable[..., None]
) -> None:
    """Operands of 8 bits cost 2^-9 each; two layers of four roundings stay below an RMS of 2^-6 of the scale.

    A gate that is missing, or that stands where another belongs, costs more than ten times that.
    """
    torch.manual_seed(0)
    layer = kind(12, 33, num_layers=2, bidirectional=True, **options)
    x, upstream = torch.randn(20, 5, 12), torch.randn(20, 5, 2 * (layer.proj_size or 33))
    results: list[dict[str, torch.Tensor]] = []
    for enabled in (True, False):
        fed = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output, finals = layer(fed, lengths=lengths)
        finals = finals if isinstance(finals, tuple) else (finals,)
        assert output.dtype == (torch.bfloat16 if enabled else torch.float32)
        assert all(state.dtype == torch.float32 for state in finals)
        layer.zero_grad()
        torch.autograd.backward([output, *finals], [upstream.to(output.dtype), *map(torch.ones_like, finals)])
        results.append({"output": output, "gradient of x": fed.grad} | {f"final {i}": s for i, s in enumerate(finals)})
        results[-1] |= {f"gradient of {name}": parameter.grad for name, parameter in layer.named_parameters()}
    low, full = results
    assert not torch.equal(low["output"].float(), full["output"])
    for name, tensor in full.items():
        assert low[name].dtype == (torch.bfloat16 if name == "output" else torch.float32), name
        agree(low[name], tensor, 2**-4, name, rms=2**-6)


@pytest.mark.parametrize("kind", [LSTMCell, GRUCell])
def test_a_step_of_a_cell(kind: Any, agree: Callable[..., None]) -> None:
    torch.manual_seed(0)
    cell, x = kind(12, 33), torch.randn(5, 12)
    with torch.autocast("cpu", torch.bfloat16):
        low = cell(x)
    for got, want in zip(low, cell(x), strict=True):
        assert got.dtype == torch.float32
        agree(got, want, 2**-5, rms=2**-7)


@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_a_layer_in_bfloat16_keeps_its_states_in_float32(backend: str) -> None:
    layer = LSTM(3, 5, dtype=torch.bfloat16, backend=backend)
    output, states = layer(torch.randn(7, 2, 3, dtype=torch.bfloat16))
    assert output.dtype == torch.bfloat16
    assert [state.dtype for state in states] == [torch.float32] * 2
    output, _ = layer(torch.randn(7, 2, 3, dtype=torch.bfloat16), states)
    assert output.dtype == torch.bfloat16


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_float64_stays_as_it_is(kind: type[Recurrent]) -> None:
    """As everywhere under autocast, which casts from float32 only."""
    torch.manual_seed(0)
    layer, x = kind(3, 5, dtype=torch.float64), torch.randn(7, 2, 3, dtype=torch.float64)
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = layer(x)
    assert torch.equal(output, layer(x)[0])


@pytest.mark.parametrize("name", [name for name in MATRIX if name not in PLAIN])
def test_cells_that_torch_lacks_are_near_float32_too(name: str, agree: Callable[..., None]) -> None:
    """As above, over fewer steps, which the cells without bounds need."""
    torch.manual_seed(0)
    spec = MATRIX[name]
    layer = Recurrent(spec, 12, 33, proj_size=16 * spec.projected, bidirectional=True)
    x, upstream = torch.randn(6, 5, 12), torch.randn(6, 5, 2 * (layer.proj_size or 33))
    results: list[dict[str, torch.Tensor]] = []
    for enabled in (True, False):
        fed = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output, finals = layer(fed, lengths=[6, 5, 0, 3, 1])
        finals = finals if isinstance(finals, tuple) else (finals,)
        assert output.dtype == (torch.bfloat16 if enabled else torch.float32)
        assert all(state.dtype == torch.float32 for state in finals)
        layer.zero_grad()
        torch.autograd.backward([output, *finals], [upstream.to(output.dtype), *map(torch.ones_like, finals)])
        results.append({"output": output, "gradient of x": fed.grad} | {f"final {i}": s for i, s in enumerate(finals)})
        results[-1] |= {f"gradient of {name}": parameter.grad for name, parameter in layer.named_parameters()}
    low, full = results
    for name, tensor in full.items():
        assert low[name].dtype == (torch.bfloat16 if name == "output" else torch.float32), name
        agree(low[name], tensor, 2**-4, name, rms=2**-6)
