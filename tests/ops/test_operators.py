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
from peephole.spec import CellSpec

SPECS = {
    "rnn tanh": CellSpec("rnn"),
    "rnn relu": CellSpec("rnn", nonlinearity="relu"),
    "lstm": CellSpec("lstm"),
    "lstm projected": CellSpec("lstm", projected=True),
    "gru": CellSpec("gru"),
}
EVERY_CELL = pytest.mark.parametrize("name", SPECS)
DIRECTIONS = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
MASKS = pytest.mark.parametrize("masks", [(), ("lengths", "resets")], ids=["plain", "masked"])


def small(problem: Any, name: str, masks: tuple[str, ...], reverse: bool) -> tuple[Callable[..., Any], list[Tensor]]:
    """A function of all tensors of a small problem to its differentiable results, and those tensors."""
    task = problem(SPECS[name], 4, 3, 2, 3, masks, reverse)

    def results(*tensors: Tensor) -> tuple[Tensor, ...]:
        x, states, weights = task.split(dict(zip(task.tensors, tensors, strict=True)))
        y, *finals, _ = OPERATORS[task.spec.family](
            x, states, weights, task.lengths, task.resets, task.spec.code, "stepwise", reverse, True
        )
        return y, *finals

    return results, [tensor.requires_grad_() for tensor in task.tensors.values()]


@MASKS
@DIRECTIONS
@EVERY_CELL
def test_first_derivatives(name: str, reverse: bool, masks: tuple[str, ...], problem: Any) -> None:
    assert gradcheck(*small(problem, name, masks, reverse))


@MASKS
@DIRECTIONS
@EVERY_CELL
def test_second_derivatives(name: str, reverse: bool, masks: tuple[str, ...], problem: Any) -> None:
    assert gradgradcheck(*small(problem, name, masks, reverse), fast_mode=True)


@pytest.mark.slow
@MASKS
@DIRECTIONS
@EVERY_CELL
def test_second_derivatives_one_by_one(name: str, reverse: bool, masks: tuple[str, ...], problem: Any) -> None:
    assert gradgradcheck(*small(problem, name, masks, reverse))


@MASKS
@EVERY_CELL
def test_derivatives_up_to_the_fourth(
    name: str, masks: tuple[str, ...], problem: Any, agree: Callable[..., None]
) -> None:
    """What is differentiated again need not be all there is: here it is x, then everything."""
    task = problem(SPECS[name], 4, 3, 2, 3, masks)
    found: list[list[Tensor]] = []
    for backend in ("torch", "reference"):
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
    task = problem(SPECS["lstm"], dtype=torch.float32)
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
    task = problem(SPECS[name], masks=masks, dtype=torch.bfloat16)
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
    task = problem(SPECS[name], 4, 3, 2, 3, masks, reverse, dtype)
    for tensor in task.tensors.values():
        tensor.requires_grad_(save)
    return (*task.split(task.tensors), task.lengths, task.resets, task.spec.code, kernel, reverse, save)


CALLS = pytest.mark.parametrize(
    ("name", "kernel", "masks"),
    [(name, "stepwise", masks) for name in SPECS for masks in ((), ("lengths", "resets"))] + [("lstm", "onednn", ())],
)


def one_backward(problem: Any, name: str, kernel: str, masks: tuple[str, ...], reverse: bool) -> tuple[Any, ...]:
    *arguments, _ = one_call(problem, name, kernel, masks, reverse, False)
    y, *finals, saved = OPERATORS[SPECS[name].family](*arguments, True)
    x, states, weights, lengths, resets, code, _, _ = arguments
    grads = [torch.randn_like(tensor) for tensor in (y, *finals)]
    for tensor in (*grads, x, *states, *weights):
        tensor.requires_grad_()
    return grads, x, states, weights, lengths, resets, y, finals, saved, code, kernel, reverse


def backward_operator(name: str) -> Any:
    return getattr(torch.ops.peephole, f"{SPECS[name].family}_backward").default


@pytest.mark.parametrize("save", [True, False], ids=["training", "inference"])
@DIRECTIONS
@CALLS
def test_registration_of_the_forward(
    name: str, kernel: str, masks: tuple[str, ...], reverse: bool, save: bool, problem: Any
) -> None:
    arguments = one_call(problem, name, kernel, masks, reverse, save)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    opcheck(OPERATORS[SPECS[name].family], arguments, test_utils=tests)


@DIRECTIONS
@CALLS
def test_registration_of_the_backward(
    name: str, kernel: str, masks: tuple[str, ...], reverse: bool, problem: Any
) -> None:
    """Without the test of the schema for oneDNN, whose backward keeps its scratch in the workspace it is handed.

    It writes that scratch before it reads it: a second backward gives the same (below).
    """
    tests = ["test_autograd_registration", "test_faketensor", *(["test_schema"] if kernel == "stepwise" else [])]
    opcheck(backward_operator(name), one_backward(problem, name, kernel, masks, reverse), test_utils=tests)


# Compiled for any size and compared with what is not compiled; a combination takes seconds. Not for oneDNN: it leaves
# parts of its workspace unwritten, so that two runs differ there, in bytes that nobody reads.
COMPILED = pytest.mark.parametrize(
    ("name", "masks", "reverse"),
    [
        ("gru", ("lengths", "resets"), True),
        *[
            pytest.param(name, masks, reverse, marks=pytest.mark.slow)
            for name in SPECS
            for masks, reverse in (((), False), (("lengths", "resets"), True))
            if (name, reverse) != ("gru", True)
        ],
    ],
)


@pytest.mark.usefixtures("unchecked_annotations")  # sizes are symbols here, and no int
@pytest.mark.parametrize("save", [True, False], ids=["training", "inference"])
@COMPILED
def test_the_forward_compiled(name: str, masks: tuple[str, ...], reverse: bool, save: bool, problem: Any) -> None:
    arguments = one_call(problem, name, "stepwise", masks, reverse, save)
    opcheck(OPERATORS[SPECS[name].family], arguments, test_utils="test_aot_dispatch_dynamic")


@pytest.mark.usefixtures("unchecked_annotations")
@COMPILED
def test_the_backward_compiled(name: str, masks: tuple[str, ...], reverse: bool, problem: Any) -> None:
    arguments = one_backward(problem, name, "stepwise", masks, reverse)
    opcheck(backward_operator(name), arguments, test_utils="test_aot_dispatch_dynamic")


@pytest.mark.parametrize("kernel_name", ["stepwise", "onednn"])
def test_a_second_backward_gives_the_same(kernel_name: str, problem: Any, kernel: Any) -> None:
    task = problem(SPECS["lstm"], dtype=torch.float32)
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


@EVERY_CELL
def test_results_that_nobody_uses_are_zero_in_the_backward(name: str, problem: Any, agree: Callable[..., None]) -> None:
    results, tensors = small(problem, name, ("lengths", "resets"), False)
    outputs = results(*tensors)
    for i, output in enumerate(outputs):
        upstream = [torch.ones_like(tensor) if i == k else torch.zeros_like(tensor) for k, tensor in enumerate(outputs)]
        want = torch.autograd.grad(outputs, tensors, upstream, retain_graph=True)
        got = torch.autograd.grad(output.sum(), tensors, retain_graph=True)
        for one, other in zip(got, want, strict=True):
            agree(one, other, 1e-12)
