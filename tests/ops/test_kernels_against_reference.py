"""Every kernel against the oracle in float64, in memory that is NaN until it is written."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from peephole._torch import onednn
from peephole.ops import Call, run_layer
from peephole.ops.operators import OPERATORS
from peephole.ops.support import KERNELS
from peephole.spec import CellSpec

from ..cells import MATRIX
from ..problems import compare

SPECS = {name: spec for name, spec in MATRIX.items() if not spec.beyond_torch}
BEYOND = {name: spec for name, spec in MATRIX.items() if spec.beyond_torch}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
DIRECTIONS = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
MASKS = pytest.mark.parametrize(
    "masks", [(), ("lengths",), ("resets",), ("lengths", "resets")], ids=["plain", "lengths", "resets", "both"]
)
ODD_SIZES = [
    *[(1, 1, 2), (1, 3, 61), (1, 17, 1)],
    *[(7, 1, 61), (7, 3, 1), (7, 17, 2)],
    *[(33, 1, 1), (33, 3, 2), (33, 17, 61)],
    *[(130, 1, 61), (130, 3, 1), (130, 17, 2)],
]
has_bfloat16 = pytest.mark.skipif(
    onednn.refusal(Call(CellSpec("lstm"), "cpu", torch.bfloat16)) is not None,
    reason="no oneDNN LSTM in bfloat16 on this processor",
)

pytestmark = pytest.mark.usefixtures("poisoned_memory")


def test_memory_is_poisoned() -> None:
    assert bool(torch.empty(3).isnan().all())
    assert bool(torch.ones(2).new_empty(3, dtype=torch.float64).isnan().all())


@MASKS
@DIRECTIONS
@pytest.mark.parametrize("name", SPECS)
def test_stepwise(
    name: str, reverse: bool, masks: tuple[str, ...], problem: Any, kernel: Any, oracle: Any, agree: Callable[..., None]
) -> None:
    compare(problem(SPECS[name], masks=masks, reverse=reverse), kernel("stepwise"), oracle, agree, 1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("hidden", "batch", "steps"), ODD_SIZES)
@pytest.mark.parametrize("name", ["rnn relu", "lstm projected", "lstm", "gru"])
def test_stepwise_of_odd_sizes(
    name: str,
    hidden: int,
    batch: int,
    steps: int,
    dtype: torch.dtype,
    problem: Any,
    kernel: Any,
    oracle: Any,
    agree: Callable[..., None],
) -> None:
    task = problem(SPECS[name], steps, batch, 9, hidden, ("lengths", "resets"), True, dtype)
    compare(task, kernel("stepwise"), oracle, agree, TOLERANCE[dtype])


NOISY = pytest.mark.parametrize(
    "masks",
    [(), ("lengths",), ("resets",), ("noise",), ("lengths", "resets", "noise")],
    ids=["plain", "lengths", "resets", "noise", "all"],
)


@pytest.mark.parametrize("masks", [(), ("lengths", "resets", "noise")], ids=["plain", "all"])
@DIRECTIONS
@pytest.mark.parametrize("name", MATRIX)
def test_the_equations_as_a_kernel(
    name: str,
    reverse: bool,
    masks: tuple[str, ...],
    problem: Any,
    kernel: Any,
    oracle: Any,
    agree: Callable[..., None],
) -> None:
    compare(problem(MATRIX[name], masks=masks, reverse=reverse), kernel("reference"), oracle, agree, 1e-12)


@NOISY
@DIRECTIONS
@pytest.mark.parametrize("name", MATRIX)
def test_what_auto_runs(
    name: str, reverse: bool, masks: tuple[str, ...], problem: Any, oracle: Any, agree: Callable[..., None]
) -> None:
    task = problem(MATRIX[name], masks=masks, reverse=reverse, dtype=torch.float32)
    compare(task, run_layer, oracle, agree, 1e-5)


@pytest.mark.parametrize("name", BEYOND)
def test_kernels_that_lack_a_cell_refuse_it(name: str) -> None:
    for kernel_name in ("cudnn", "onednn", "stepwise"):
        device = "cuda" if kernel_name == "cudnn" else "cpu"
        reason = KERNELS[kernel_name].refusal(Call(BEYOND[name], device, torch.float32))
        assert reason is not None


@DIRECTIONS
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize(("hidden", "batch", "steps"), ODD_SIZES)
def test_onednn(
    hidden: int,
    batch: int,
    steps: int,
    bias: bool,
    reverse: bool,
    problem: Any,
    kernel: Any,
    oracle: Any,
    agree: Callable[..., None],
) -> None:
    spec = CellSpec("lstm", bias=bias)
    task = problem(spec, steps, batch, 9, hidden, reverse=reverse, dtype=torch.float32)
    compare(task, kernel("onednn"), oracle, agree, 1e-5)


@MASKS
@DIRECTIONS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("backend", ["auto", "torch", "reference"])
@pytest.mark.parametrize("name", ["rnn tanh", "lstm", "lstm projected", "gru without bias"])
def test_named_back_ends(
    name: str,
    backend: str,
    dtype: torch.dtype,
    reverse: bool,
    masks: tuple[str, ...],
    problem: Any,
    oracle: Any,
    agree: Callable[..., None],
) -> None:
    def run(*arguments: Any, **options: Any) -> Any:
        return run_layer(*arguments, **options, backend=backend)

    compare(problem(SPECS[name], masks=masks, reverse=reverse, dtype=dtype), run, oracle, agree, TOLERANCE[dtype])


SERVED = pytest.mark.parametrize(
    ("name", "kernel_name", "masks"),
    [
        *[(name, "stepwise", masks) for name in SPECS for masks in ((), ("lengths", "resets"))],
        *[(name, "onednn", ()) for name in ("lstm", "lstm without bias")],
        *[(name, "reference", ("lengths", "resets", "noise")) for name in ("lstm FGR", "rnn 3 taps", "gru before")],
    ],
)


@SERVED
@DIRECTIONS
def test_what_is_not_saved_for_a_backward_changes_nothing(
    name: str, kernel_name: str, reverse: bool, masks: tuple[str, ...], problem: Any, agree: Callable[..., None]
) -> None:
    task = problem(MATRIX[name], masks=masks, reverse=reverse, dtype=torch.float32)
    call = OPERATORS[task.spec.family]
    arguments = (*task.split(task.tensors), task.lengths, task.resets, task.noise, task.spec.code, kernel_name, reverse)
    y, finals, saved = call(*arguments, True)
    plain_y, plain_finals, nothing = call(*arguments, False)
    assert bool(saved.numel()) == (kernel_name != "reference")
    assert nothing.numel() == 0
    for got, want in zip((plain_y, *plain_finals), (y, *finals), strict=True):
        agree(got, want, 1e-6)


@SERVED
def test_strided_arguments(
    name: str,
    kernel_name: str,
    masks: tuple[str, ...],
    problem: Any,
    kernel: Any,
    oracle: Any,
    agree: Callable[..., None],
) -> None:
    task = problem(MATRIX[name], masks=masks, dtype=torch.float32)
    want = task.solve(kernel(kernel_name))
    for key, tensor in task.tensors.items():
        strided = torch.zeros(*tensor.shape[::-1], 2)[..., 1].permute(*reversed(range(tensor.dim())))
        assert strided.stride() != tensor.stride()
        task.tensors[key] = strided.copy_(tensor)
    got = task.solve(kernel(kernel_name))
    for key, tensor in want.items():
        agree(got[key], tensor, 1e-6, key)


@SERVED
def test_arguments_stay_as_they_were_and_results_share_no_memory(
    name: str, kernel_name: str, masks: tuple[str, ...], problem: Any
) -> None:
    task = problem(MATRIX[name], masks=masks, dtype=torch.float32)
    before = {key: tensor.clone() for key, tensor in task.tensors.items()}
    arguments = (
        *task.split(task.tensors),
        task.lengths,
        task.resets,
        task.noise,
        task.spec.code,
        kernel_name,
        False,
        True,
    )
    results = OPERATORS[task.spec.family](*arguments)
    assert all(torch.equal(task.tensors[key], tensor) for key, tensor in before.items())
    given, (y, finals, saved) = list(task.tensors.values()), results
    x, states, weights, lengths, resets, masks, code, _, reverse, _ = arguments
    dx, dstates, dweights = getattr(torch.ops.peephole, f"{task.spec.family}_backward")(
        [y, *finals], x, states, weights, lengths, resets, masks, y, finals, saved, code, kernel_name, reverse
    )
    for results in ((y, *finals, saved), (dx, *dstates, *dweights)):
        everything = [*given, *results]
        assert len({tensor.untyped_storage().data_ptr() for tensor in everything}) == len(everything)


# bfloat16 keeps 8 bits, so that rounding costs up to 2^-9 of a number. Both sides start from the same rounded x and
# weights; what a kernel rounds anew is W x, W h, h before its product, y, and dz in the backward, and a step forgets
# part of the errors before it. That adds up to an RMS of 2^-8 or less of the scale; single numbers reach a few times
# that.
BFLOAT16 = pytest.mark.parametrize(
    ("name", "kernel_name", "masks"),
    [
        *[(name, "stepwise", masks) for name in SPECS for masks in ((), ("lengths", "resets"))],
        *[pytest.param(name, "onednn", (), marks=has_bfloat16) for name in ("lstm", "lstm without bias")],
    ],
)


@BFLOAT16
@DIRECTIONS
def test_bfloat16_operands(
    name: str,
    kernel_name: str,
    masks: tuple[str, ...],
    reverse: bool,
    problem: Any,
    kernel: Any,
    oracle: Any,
    agree: Callable[..., None],
) -> None:
    task = problem(SPECS[name], 20, 7, 12, 33, masks, reverse, torch.bfloat16)
    for state in task.spec.states:  # states stay float32
        task.tensors[state] = task.tensors[state].float()
    got, want = task.solve(kernel(kernel_name)), task.widened().solve(oracle)
    for key, tensor in want.items():
        low = key == "y" or key.removeprefix("gradient of ") in ("x", *task.spec.parameter_names())
        assert got[key].dtype == (torch.bfloat16 if low else torch.float32), key
        if task.spec.nonlinearity == "relu" and key.startswith("gradient"):
            continue  # rounding moves a unit across the kink, and its gradient is then another one
        agree(got[key], tensor, 2**-5, key, rms=2**-7)
