"""What contestants of a streaming case share: one set of weights, the inputs of the steps; and what comes out of them.

The oracle is the equations in float64. A contestant steps from the zero state, and keeps its state for what comes next.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from peephole.bench.cases import CELLS
from peephole.bench.setup import SEED
from peephole.bench.stream_cases import StreamCase
from peephole.bench.timing import PAUSE_SECONDS
from peephole.nn.recurrent import Recurrent

# Of the largest output, which default weights leave below 1. float32 is off by how it rounds, sums and approximates σ
# and tanh. bfloat16 has 8 bits: a weight is off by up to 0.4 %, outputs by about as much. int8 rounds weights, and each
# step's operands, to one part in 127 of the largest of a row or matrix, and outputs are off by 1 %, ours and ONNX
# Runtime's. A wrong gate is off by tens of per cent.
TOLERANCES = {"float32": 1e-5, "bfloat16": 1e-2, "int8": 5e-2}


@dataclass(frozen=True, eq=False)
class StreamSetup:
    """Layers of ours in float32, x `[T, B, I]`, and the outputs wanted for it, float64 `[T, B, H]`.

    `flops` are the floating-point operations of the matrix products of one step of all streams.
    """

    case: StreamCase
    layer: Recurrent
    x: Tensor
    wanted: Tensor
    flops: int


@dataclass(frozen=True)
class Stepper:
    """Somebody who steps: `step(x)`, its state carried, with `weights` stored in 32 bits or fewer.

    `given` makes of x `[B, I]` what it is fed, and `taken` of what it gives `[B, H]`; `compared` unless there is
    nothing to compare. `pause` are seconds for which its threads may go on spinning after a turn.
    """

    name: str
    step: Callable[[Any], Any]
    setup: StreamSetup
    flops: int
    weights: str = "float32"
    compared: bool = True
    given: Callable[[Tensor], Any] = lambda x: x
    taken: Callable[[Any], Tensor] = lambda output: output
    pause: float = PAUSE_SECONDS


def make_setup(case: StreamCase, cell: str = "lstm") -> StreamSetup:
    """The setup of a case for one of its cells, the same numbers every time."""
    size = case.size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        layer = Recurrent(CELLS[cell].spec, size.hidden_size, size.hidden_size, size.layers).eval()
        x = torch.randn(case.gated_steps, case.streams, size.hidden_size)
    equations = copy.deepcopy(layer).double()
    equations.backend = "reference"
    with torch.inference_mode():
        wanted = equations(x.double())[0]
    numbers = sum(weight.numel() for weight in layer.parameters() if weight.dim() == 2)
    return StreamSetup(case, layer, x, wanted, 2 * numbers * case.streams)


@torch.inference_mode()
def check(stepper: Stepper) -> tuple[float, str | None]:
    """The largest error of the setup's steps, in parts of the largest output, and None or what is wrong."""
    outputs = [stepper.taken(stepper.step(stepper.given(row))).clone() for row in stepper.setup.x]
    error = _error(torch.stack(outputs), stepper.setup.wanted)
    tolerance = TOLERANCES[stepper.weights]
    if error <= tolerance:
        return error, None
    return error, f"an output is off by {error:.1e} of the largest; at most {tolerance:.0e} is right"


def _error(got: Tensor, want: Tensor) -> float:
    if got.shape != want.shape:
        return float("inf")
    error = float((got.double() - want).abs().max() / want.abs().max())
    return error if error == error else float("inf")
