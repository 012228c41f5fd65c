"""The operators as torch sees them: derivatives of every order, schema, fake and autograd registration."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck

from peephole import reference
from peephole.ops import run_layer
from peephole.ops.operators import OPERATORS

from ..cells import MATRIX, PLAIN

STEPWISE = [name for name, spec in MATRIX.items() if not spec.beyond_torch]
EVERY_CELL = pytest.mark.parametrize("name", PLAIN)
DIRECTIONS = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
MASKS = pytest.mark.parametrize("masks", [(), ("lengths", "resets")], ids=["plain", "masked"])
CASES = [
    *[
        (name, "stepwise", masks, reverse)
        for name in STEPWISE
        for masks in ((), ("lengths", "resets"))
        for reverse in (False, True)
    ],
    *[
        (name, "reference", masks, reverse)
        for name in MATRIX
        for masks, reverse in (((), False), (("lengths", "resets", "noise"), True))
    ],
]
EVERY_CASE = pytest.mark.parametrize(("name", "kernel", "masks", "reverse"), CASES)


def small(
    problem: Any, name: str, kernel: str, masks: tuple[str, ...], reverse: bool
) -> tuple[Callable[..., Any], list[Tensor]]:
    """A function of all tensors of a small problem to its differentiable results, and those tensors."""
    task = problem(MATRIX[name], 4, 3, 2, 3, masks, reverse)

    def results(*tensors: Tensor) -> tuple[Tensor, ...]:
        x, states, weights = task.split(dict(zip(task.tensors, tensors, strict=True)))
        arguments = x, states, weights, task.lengths, task.resets, task.noise, task.spec.code, kernel, reverse, True
        y, finals, _ = OPERATORS[task.spec.family](*arguments)
        return y, *finals

    return results, [tensor.requires_grad_() for tensor in task.tensors.values()]


@EVERY_CASE
def test_first_derivatives(name: str, kernel: str, reverse: bool, masks: tuple[str, ...], problem: Any) -> None:
    # Element by element where the backward is our own; along random directions where it is autograd's.
    assert gradcheck(*small(problem, name, kernel, masks, reverse), fast_mode=kernel == "reference")


@EVERY_CASE
def test_second_derivatives(name: str, kernel: str, reverse: bool, masks: tuple[str, ...], problem: Any) -> None:
    assert gradgradcheck(*small(problem, name, kernel, masks, reverse), fast_mode=True)


@pytest.mark.slow
@DIRECTIONS
@EVERY_CELL
def test_second_derivatives_one_by_one(name: str, reverse: bool, problem: Any) -> None:
    assert gradgradcheck(*small(problem, name, "stepwise", ("lengths", "resets"), reverse))


@MASKS
@EVERY_CELL
def test_derivatives_up_to_the_fourth(
    name: str, masks: tuple[str, ...], problem: Any, agree: Callable[..., None]
) -> None:
    """What is differentiated again need not be all there is: here it is x, then everything."""
    task = problem(MATRIX[name], 4, 3, 2, 3, masks)
    found: list[list[Tensor]] = []
    for backend in ("auto", "reference"):
        leaves = {key: tensor.clone().requires_grad_() for key, tensor in task.tensors.items()}
        y, finals = run_layer(task.spec, *task.split(leaves), lengths=task.lengths, resets=task.resets, backend=backend)
        value = y.square().sum() + finals[0].sum()
        found.append([])
        for _ in range(3):
            (grad,) = torch.autograd.grad(value, leaves["x"], create_graph=True)
            value = grad.square().sum()
            found[-1].append(value)
        found[-1] += torch.autograd.grad(value, list(leaves.values()))
    for got, want in zip(*found, strict=True):
        agree(got, want, 1e-10, floor=1e-6)


@pytest.mark.parametrize("kernel_name", ["stepwise", "onednn"])
def test_second_derivatives_of_an_lstm_in_float32(
    kernel_name: str, problem: Any, kernel: Any, agree: Callable[..., None]
) -> None:
    """oneDNN has no double backward of its own; the oracle is everyone's."""
    task = problem(MATRIX["lstm"], dtype=torch.float32)
    found: list[tuple[Tensor, ...]] = []
    for case, run in ((task, kernel(kernel_name)), (task.widened(), reference.run)):
        leaves = {key: tensor.clone().requires_grad_() for key, tensor in case.tensors.items()}
        y, _ = run(case.spec, *case.split(leaves), lengths=None, resets=None, reverse=False)
        (grad,) = torch.autograd.grad(y.square().sum(), leaves["x"], create_graph=True)
        found.append(torch.autograd.grad(grad.square().sum(), list(leaves.values())))
    for got, want in zip(*found, strict=True):
        agree(got, want, 1e-5)


@MASKS
@EVERY_CELL
def test_second_derivatives_in_bfloat16(
    name: str, masks: tuple[str, ...], problem: Any, agree: Callable[..., None]
) -> None:
    """Through the equations in float32, from operands of 8 bits: exact but for the rounding of what comes out."""
    if name == "rnn relu":
        masks = ("lengths",)
    task = problem(MATRIX[name], masks=masks, dtype=torch.bfloat16)
    for state in task.spec.states:
        task.tensors[state] = task.tensors[state].float()
    found: list[tuple[Tensor, ...]] = []
    for case in (task, task.widened()):
        leaves = {key: tensor.clone().requires_grad_() for key, tensor in case.tensors.items()}
        y, _ = run_layer(case.spec, *case.split(leaves), lengths=case.lengths, resets=case.resets)
        (grad,) = torch.autograd.grad(y.double().sum(), leaves["x"], create_graph=True)
        found.append(torch.autograd.grad(grad.double().sum(), leaves["weight_ih"]))
    for got, want in zip(*found, strict=True):
        agree(got, want, 2**-5, rms=2**-6)


def one_call(
    problem: Any, name: str, kernel: str, masks: tuple[str, ...], reverse: bool, save: bool
) -> tuple[Any, ...]:
    dtype = torch.float32 if kernel == "onednn" else torch.float64
    task = problem(MATRIX[name], 4, 3, 2, 3, masks, reverse, dtype)
    for tensor in task.tensors.values():
        tensor.requires_grad_(save)
    return (*task.split(task.tensors), task.lengths, task.resets, task.noise, task.spec.code, kernel, reverse, save)


CALLS = pytest.mark.parametrize(
    ("name", "kernel", "masks", "reverse"),
    [*CASES, ("lstm", "onednn", (), False), ("lstm", "onednn", (), True)],
)


def one_backward(problem: Any, name: str, kernel: str, masks: tuple[str, ...], reverse: bool) -> tuple[Any, ...]:
    *arguments, _ = one_call(problem, name, kernel, masks, reverse, False)
    y, finals, saved = OPERATORS[MATRIX[name].family](*arguments, True)
    x, states, weights, lengths, resets, noise, code, _, _ = arguments
    grads = [torch.randn_like(tensor) for tensor in (y, *finals)]
    for tensor in (*grads, x, *states, *weights):
        tensor.requires_grad_()
    return grads, x, states, weights, lengths, resets, noise, y, finals, saved, code, kernel, reverse


def backward_operator(name: str) -> Any:
    return getattr(torch.ops.peephole, f"{MATRIX[name].family}_backward").default


@pytest.mark.parametrize("save", [True, False], ids=["training", "inference"])
@CALLS
def test_registration_of_the_forward(
    name: str, kernel: str, masks: tuple[str, ...], reverse: bool, save: bool, problem: Any
) -> None:
    arguments = one_call(problem, name, kernel, masks, reverse, save)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    opcheck(OPERATORS[MATRIX[name].family], arguments, test_utils=tests)


@CALLS
def test_registration_of_the_backward(
    name: str, kernel: str, masks: tuple[str, ...], reverse: bool, problem: Any
) -> None:
    """Without the test of the schema for oneDNN, whose backward keeps its scratch in the workspace it is handed.

    It writes that scratch before it reads it: a second backward gives the same (below).
    """
    tests = ["test_autograd_registration", "test_faketensor", *(["test_schema"] if kernel != "onednn" else [])]
    opcheck(backward_operator(name), one_backward(problem, name, kernel, masks, reverse), test_utils=tests)


# Compiled for any size and compared with what is not compiled; a combination takes seconds. Not for oneDNN: it leaves
# parts of its workspace unwritten, so that two runs differ there, in bytes that nobody reads.
COMPILED = pytest.mark.parametrize(
    ("name", "kernel", "masks", "reverse"),
    [
        ("gru", "stepwise", ("lengths", "resets"), True),
        ("lstm FGR", "reference", ("lengths", "resets", "noise"), True),
        *[
            pytest.param(name, "stepwise", ("lengths", "resets"), True, marks=pytest.mark.slow)
            for name in PLAIN
            if name != "gru"
        ],
        pytest.param("lstm", "stepwise", (), False, marks=pytest.mark.slow),
        # The rest of the matrix is compiled as layers, in test_compile.
        pytest.param("rnn 3 taps", "reference", ("lengths", "resets", "noise"), True, marks=pytest.mark.slow),
    ],
)


@pytest.mark.usefixtures("unchecked_annotations")  # sizes are symbols here, and no int
@pytest.mark.parametrize("save", [True, False], ids=["training", "inference"])
@COMPILED
def test_the_forward_compiled(
    name: str, kernel: str, masks: tuple[str, ...], reverse: bool, save: bool, problem: Any
) -> None:
    arguments = one_call(problem, name, kernel, masks, reverse, save)
    opcheck(OPERATORS[MATRIX[name].family], arguments, test_utils="test_aot_dispatch_dynamic")


@pytest.mark.usefixtures("unchecked_annotations")
@COMPILED
def test_the_backward_compiled(name: str, kernel: str, masks: tuple[str, ...], reverse: bool, problem: Any) -> None:
    arguments = one_backward(problem, name, kernel, masks, reverse)
    opcheck(backward_operator(name), arguments, test_utils="test_aot_dispatch_dynamic")


@pytest.mark.parametrize("kernel_name", ["stepwise", "onednn"])
def test_a_second_backward_gives_the_same(kernel_name: str, problem: Any, kernel: Any) -> None:
    task = problem(MATRIX["lstm"], dtype=torch.float32)
    leaves = {key: tensor.clone().requires_grad_() for key, tensor in task.tensors.items()}
    y, finals = kernel(kernel_name)(task.spec, *task.split(leaves), lengths=None, resets=None, reverse=False)
    outputs = (y, *finals)
    upstream = [torch.randn_like(tensor) for tensor in outputs]
    others = [torch.randn_like(tensor) for tensor in outputs]
    first, _, third = (
        torch.autograd.grad(outputs, list(leaves.values()), grads, retain_graph=True)
        for grads in (upstream, others, upstream)
    )
    assert all(torch.equal(one, other) for one, other in zip(first, third, strict=True))


@pytest.mark.parametrize(
    ("name", "kernel", "masks"), [case[:3] for case in CASES if not case[3] or case[1] != "stepwise"]
)
def test_results_that_nobody_uses_are_zero_in_the_backward(
    name: str, kernel: str, masks: tuple[str, ...], problem: Any, agree: Callable[..., None]
) -> None:
    results, tensors = small(problem, name, kernel, masks, False)
    outputs = results(*tensors)
    for i, output in enumerate(outputs):
        upstream = [torch.ones_like(tensor) if i == k else torch.zeros_like(tensor) for k, tensor in enumerate(outputs)]
        want = torch.autograd.grad(outputs, tensors, upstream, retain_graph=True)
        got = torch.autograd.grad(output.sum(), tensors, retain_graph=True)
        for one, other in zip(got, want, strict=True):
            agree(one, other, 1e-12)


@pytest.mark.parametrize("units", [1, 4, 6])
def test_registration_of_the_random_words(units: int) -> None:
    tests = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    opcheck(torch.ops.peephole.random_words.default, (torch.tensor(3), 1, 2, 3, 2, units), test_utils=tests)
