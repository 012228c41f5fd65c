"""cuDNN's kernels against the oracle, on a GPU."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from peephole.nn.explanation import explain_backend
from peephole.nn.layers import GRU, LSTM, RNN
from peephole.spec import CellSpec

pytestmark = pytest.mark.gpu

SPECS = [
    *[CellSpec("rnn", nonlinearity=f, bias=bias) for f in ("tanh", "relu") for bias in (True, False)],
    *[CellSpec("lstm", bias=bias, projected=projected) for bias in (True, False) for projected in (True, False)],
    *[CellSpec("gru", bias=bias) for bias in (True, False)],
]
DIRECTIONS = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


@pytest.fixture(autouse=True)
def full_float32() -> Iterator[None]:
    """Without TensorFloat-32, which rounds operands to 10 bits."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@DIRECTIONS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("hidden", "batch", "steps"), [(1, 1, 2), (7, 3, 1), (33, 17, 61), (130, 3, 2)])
@pytest.mark.parametrize("spec", SPECS, ids=[spec.code for spec in SPECS])
def test_cudnn(
    spec: CellSpec,
    hidden: int,
    batch: int,
    steps: int,
    dtype: torch.dtype,
    reverse: bool,
    problem: Any,
    kernel: Any,
    oracle: Any,
    agree: Callable[..., None],
) -> None:
    hidden = max(hidden, 2) if spec.projected else hidden
    task = problem(spec, steps, batch, 9, hidden, reverse=reverse, dtype=dtype, device="cuda")
    got, want = task.solve(kernel("cudnn")), task.widened().solve(oracle)
    for name, tensor in want.items():
        assert got[name].device.type == "cuda"
        # cuDNN's tanh and sigmoid in float32 are off by up to 1.5e-5 (seen on Hopper)
        agree(got[name].cpu(), tensor, 5e-5 if dtype == torch.float32 else 1e-10, name, floor=0.01)


@pytest.mark.parametrize("masks", [(), ("lengths", "resets")], ids=["plain", "masked"])
@DIRECTIONS
@pytest.mark.parametrize("spec", SPECS, ids=[spec.code for spec in SPECS])
def test_stepwise_on_a_gpu(
    spec: CellSpec,
    reverse: bool,
    masks: tuple[str, ...],
    problem: Any,
    kernel: Any,
    oracle: Any,
    agree: Callable[..., None],
) -> None:
    task = problem(spec, masks=masks, reverse=reverse, device="cuda")
    got, want = task.solve(kernel("stepwise")), task.widened().solve(oracle)
    for name, tensor in want.items():
        agree(got[name].cpu(), tensor, 1e-10, name, floor=0.01)


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_layers_on_a_gpu_run_on_cudnn(kind: Any, agree: Callable[..., None]) -> None:
    torch.manual_seed(0)
    layer = kind(5, 33, num_layers=2, bidirectional=True)
    x = torch.randn(20, 4, 5)
    resets = torch.zeros(20, 4, dtype=torch.bool)
    resets[7, 2] = True
    plain, masked = layer(x)[0], layer(x, resets=resets)[0]
    layer.cuda()
    assert "cudnn" not in explain_backend(layer)  # it is not refused
    assert "cuDNN, a whole sequence in one call" in explain_backend(layer)
    agree(layer(x.cuda())[0].cpu(), plain, 1e-5)
    agree(layer(x.cuda(), resets=resets.cuda())[0].cpu(), masked, 1e-5)  # in pieces


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_autocast_on_a_gpu(kind: Any, dtype: torch.dtype, agree: Callable[..., None]) -> None:
    torch.manual_seed(0)
    layer, x = kind(5, 33).cuda(), torch.randn(20, 4, 5, device="cuda")
    want, _ = layer(x)
    with torch.autocast("cuda", dtype):
        output, finals = layer(x)
    assert output.dtype == dtype
    assert all(state.dtype == torch.float32 for state in (finals if isinstance(finals, tuple) else (finals,)))
    agree(output, want, 2**-4, rms=2**-6)
