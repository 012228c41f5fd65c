"""Whatever torch hands over: strides, expanded tensors, autograd's modes, autocast; and the operators' registration."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck

from peephole._native import layer, recomputing
from peephole.errors import InputError
from peephole.ops import run_layer
from peephole.ops.operators import OPERATORS
from peephole.spec import CellSpec

from ..cells import MATRIX

EVERYTHING = ("lengths", "resets", "noise")
CELLS = ["rnn 3 taps", "lstm projected", "lstm FGR", "gru before, layer norm", "gru"]
KERNELS = pytest.mark.parametrize("kernel_name", ["native", "recomputing"])


def same(got: dict[str, Tensor], want: dict[str, Tensor]) -> None:
    assert list(got) == list(want)
    for key, tensor in want.items():
        assert torch.equal(got[key], tensor), key


def strided(tensor: Tensor) -> Tensor:
    """The same numbers, every other one of a larger block in another order."""
    other = torch.zeros(*tensor.shape[::-1], 2, dtype=tensor.dtype)[..., 1].permute(*reversed(range(tensor.dim())))
    return other.copy_(tensor)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@KERNELS
@pytest.mark.parametrize("name", CELLS)
def test_strides_change_no_bit(name: str, kernel_name: str, dtype: torch.dtype, problem: Any, kernel: Any) -> None:
    task = problem(MATRIX[name], 37, 5, 4, 9, EVERYTHING, dtype=dtype)
    want = task.solve(kernel(kernel_name))
    for key, tensor in task.tensors.items():
        task.tensors[key] = strided(tensor)
        assert not task.tensors[key].is_contiguous()
    object.__setattr__(task, "lengths", strided(task.lengths))
    object.__setattr__(task, "resets", strided(task.resets))
    object.__setattr__(task, "noise", [strided(mask) if mask.dim() > 1 else mask for mask in task.noise])
    same(task.solve(kernel(kernel_name)), want)


@KERNELS
def test_views_that_begin_anywhere(kernel_name: str, problem: Any, kernel: Any) -> None:
    """Contiguous, and aligned to nothing but their own numbers; what stands before and behind stays as it is."""
    task = problem(MATRIX["lstm"], 37, 5, 4, 9, dtype=torch.float32)
    want = task.solve(kernel(kernel_name))
    blocks: dict[str, Tensor] = {}
    for key, tensor in task.tensors.items():
        blocks[key] = torch.full((tensor.numel() + 2,), 7.0)
        task.tensors[key] = blocks[key][1:-1].view(tensor.shape).copy_(tensor)
        assert task.tensors[key].data_ptr() % 16
    run = kernel(kernel_name)
    y, _ = run(task.spec, *task.split(task.tensors), lengths=None, resets=None, reverse=False)
    assert torch.equal(y, want["y"])
    for block in blocks.values():
        assert block[0] == block[-1] == 7.0


@KERNELS
@pytest.mark.parametrize("name", ["lstm FGR", "gru"])
def test_expanded_arguments(name: str, kernel_name: str, problem: Any, kernel: Any) -> None:
    """Tensors whose rows or steps are one in memory, masks among them, and an upstream gradient that is."""
    task = problem(MATRIX[name], 37, 5, 4, 9, ("noise",), dtype=torch.float32)
    task.tensors["x"] = task.tensors["x"][:1, :1].expand(37, 5, 4)
    task.tensors["h"] = task.tensors["h"][:1].expand(5, 9)
    task.noise[0] = task.noise[0][:1].expand(5, 9)
    results = []
    for shape in ((1, 1, 9), (37, 1, 9), (1, 5, 9), (37, 5, 1), (37, 1, 1)):
        few = task.noise[1][: shape[0], : shape[1], : shape[2]]
        pair = []
        for mask in (few, few.expand(37, 5, 9), few.expand(37, 5, 9).contiguous()):
            task.noise[1] = mask
            pair.append(task.solve(kernel(kernel_name)))
        same(pair[1], pair[0])
        same(pair[2], pair[0])
        results.append(pair[0]["y"])
        task.noise[1] = pair_of(task)
    assert not any(torch.equal(one, results[0]) for one in results[1:])
    x = task.tensors["x"].clone().requires_grad_()
    _, states, weights = task.split(task.tensors)
    y, _ = kernel(kernel_name)(task.spec, x, states, weights, lengths=None, resets=None, reverse=False)
    (first,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    (second,) = torch.autograd.grad(y, x, torch.ones_like(y))
    assert torch.equal(first, second)


def pair_of(task: Any) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.bernoulli(torch.full((task.steps, task.batch, task.hidden_size), 0.4), generator=generator)


@KERNELS
@pytest.mark.parametrize("name", CELLS)
def test_gradients_of_some_arguments_only(name: str, kernel_name: str, problem: Any, kernel: Any) -> None:
    task = problem(MATRIX[name], 37, 5, 4, 9, EVERYTHING, dtype=torch.float32)
    leaves = {key: tensor.clone().requires_grad_() for key, tensor in task.tensors.items()}

    def gradients(wanted: list[str]) -> tuple[Tensor, ...]:
        given = {key: leaf if key in wanted else leaf.detach() for key, leaf in leaves.items()}
        y, finals = kernel(kernel_name)(
            task.spec, *task.split(given), lengths=task.lengths, resets=task.resets, masks=task.noise, reverse=False
        )
        assert all(tensor.requires_grad for tensor in (y, *finals))
        return torch.autograd.grad([y[3:].sum(), finals[-1].sum()], [leaves[key] for key in wanted])

    everything = dict(zip(leaves, gradients(list(leaves)), strict=True))
    for key, tensor in everything.items():
        assert torch.equal(gradients([key])[0], tensor), key


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_modes_without_a_gradient(name: str, recompute: bool, problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits, and nothing saved."""
    task = problem(MATRIX[name], 37, 5, 4, 9, EVERYTHING, dtype=torch.float32)
    leaves = {key: tensor.clone().requires_grad_() for key, tensor in task.tensors.items()}
    saves: list[bool] = []
    for module in (layer, recomputing):
        whole = module.forward

        def forward(operands: Any, save: bool, whole: Any = whole) -> Any:
            saves.append(save)
            return whole(operands, save)

        monkeypatch.setattr(module, "forward", forward)

    def run(tensors: dict[str, Tensor]) -> tuple[Tensor, ...]:
        options = {"lengths": task.lengths, "resets": task.resets, "masks": task.noise, "recompute": recompute}
        y, finals = run_layer(task.spec, *task.split(tensors), **options, backend="native")
        return y, *finals

    want = run(leaves)
    with torch.no_grad():
        without = run(leaves)
    with torch.inference_mode():
        inference = run(leaves)
        inside = run({key: tensor.clone() for key, tensor in leaves.items()})
    plain = run({key: tensor.detach() for key, tensor in leaves.items()})
    assert saves == [True, False, False, False, False]
    assert all(tensor.requires_grad for tensor in want)
    for results in (without, inference, inside, plain):
        assert not any(tensor.requires_grad for tensor in results)
        assert all(torch.equal(one, two) for one, two in zip(results, want, strict=True))


def small(problem: Any, name: str, kernel_name: str, masks: tuple[str, ...], reverse: bool) -> tuple[Any, list[Tensor]]:
    task = problem(MATRIX[name], 4, 3, 2, 3, masks, reverse)

    def results(*tensors: Tensor) -> tuple[Tensor, ...]:
        x, states, weights = task.split(dict(zip(task.tensors, tensors, strict=True)))
        rest = task.lengths, task.resets, task.noise, task.spec.code, kernel_name, reverse, True
        y, finals, _ = OPERATORS[task.spec.family](x, states, weights, *rest)
        return y, *finals

    return results, [tensor.requires_grad_() for tensor in task.tensors.values()]


@pytest.mark.parametrize(
    ("kernel_name", "masks", "reverse"), [("native", EVERYTHING, True), ("recomputing", (), False)]
)
@pytest.mark.parametrize("name", ["rnn 3 taps", "lstm projected", "gru before, layer norm", "gru"])
def test_derivatives(name: str, kernel_name: str, masks: tuple[str, ...], reverse: bool, problem: Any) -> None:
    assert gradcheck(*small(problem, name, kernel_name, masks, reverse), fast_mode=True)
    assert gradgradcheck(*small(problem, name, kernel_name, masks, reverse), fast_mode=True)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", ["rnn tanh", "lstm projected", "gru layer norm"])
def test_autocast_to_bfloat16(name: str, recompute: bool, problem: Any) -> None:
    """The bits of operands that were cast by hand; states stay float32, gradients come in the caller's dtype."""
    task = problem(MATRIX[name], 37, 5, 4, 9, ("lengths",), dtype=torch.float32)
    results = []
    for cast in (False, True):
        leaves = {key: tensor.clone().requires_grad_() for key, tensor in task.tensors.items()}
        given = dict(leaves)
        for key in () if cast else ("x", *task.spec.parameter_names()):
            given[key] = leaves[key].bfloat16()
        with torch.autocast("cpu", torch.bfloat16, enabled=cast):
            y, finals = run_layer(
                task.spec, *task.split(given), lengths=task.lengths, backend="native", recompute=recompute
            )
        assert y.dtype == torch.bfloat16
        assert all(final.dtype == torch.float32 for final in finals)
        grads = torch.autograd.grad([y.float().square().sum(), finals[-1].sum()], list(leaves.values()))
        assert all(grad.dtype == torch.float32 for grad in grads)
        results.append((y, *finals, *grads))
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


@pytest.mark.parametrize(("masks", "reverse"), [((), False), (EVERYTHING, True)], ids=["plain", "everything"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@KERNELS
@pytest.mark.parametrize("name", ["rnn 2 taps, residual, layer norm", "lstm projected", "lstm FGR", "gru"])
def test_registration(
    name: str, kernel_name: str, dtype: torch.dtype, masks: tuple[str, ...], reverse: bool, problem: Any
) -> None:
    """Among others the shape of what is saved, which the operator's fake has to know beforehand."""
    task = problem(MATRIX[name], 35, 3, 2, 17, masks, reverse, dtype)
    x, states, weights = task.split(task.tensors)
    rest = task.lengths, task.resets, task.noise
    for save in (False, True):
        tensors = [tensor.clone().requires_grad_(save) for tensor in (x, *states, *weights)]
        arguments = tensors[0], tensors[1 : 1 + len(states)], tensors[1 + len(states) :], *rest
        tests = ("test_schema", "test_autograd_registration", "test_faketensor")
        opcheck(
            OPERATORS[task.spec.family],
            (*arguments, task.spec.code, kernel_name, reverse, save),
            test_utils=tests,
        )
    y, finals, saved = OPERATORS[task.spec.family](
        x, states, weights, *rest, task.spec.code, kernel_name, reverse, True
    )
    assert saved.numel()
    grads = [torch.randn_like(tensor) for tensor in (y, *finals)]
    backward = getattr(torch.ops.peephole, f"{task.spec.family}_backward").default
    given = (grads, x, states, weights, *rest, y, finals, saved, task.spec.code, kernel_name, reverse)
    opcheck(backward, given, test_utils=("test_schema", "test_faketensor"))


@KERNELS
def test_a_second_backward_gives_the_same_bits(kernel_name: str, problem: Any, kernel: Any) -> None:
    """What was saved is read, never written."""
    task = problem(MATRIX["lstm FGR"], 70, 5, 4, 9, ("resets",), dtype=torch.float32)
    leaves = {key: tensor.clone().requires_grad_() for key, tensor in task.tensors.items()}
    y, _ = kernel(kernel_name)(task.spec, *task.split(leaves), lengths=None, resets=task.resets, reverse=True)
    one, two = (
        torch.autograd.grad(y.square().sum(), list(leaves.values()), retain_graph=True, allow_unused=True)
        for _ in range(2)
    )
    assert all(torch.equal(first, second) for first, second in zip(one, two, strict=True))


def test_zoneout_of_other_states_is_refused(problem: Any) -> None:
    """The kernels find them again in the output, where zoneout would not show."""
    task = problem(MATRIX["rnn 3 taps"], masks=("noise",))
    task.noise[2] = torch.full((1, 1, 1), 0.5, dtype=torch.float64)
    with pytest.raises(InputError) as caught:
        run_layer(task.spec, *task.split(task.tensors), masks=task.noise)
    assert str(caught.value) == "zoneout of state h_1 is given; the cells of ours have it for h and c"


@pytest.mark.parametrize("steps", [1, 5])
def test_an_empty_batch_goes_to_a_kernel_that_knows_it(steps: int) -> None:
    """And no feature at all to none: a tensor without numbers has no address."""
    spec = CellSpec("lstm")
    weights = [torch.zeros(shape) for shape in spec.parameter_shapes(3, 5).values()]
    x, states = torch.zeros(steps, 0, 3), [torch.zeros(0, 5)] * 2
    y, _ = run_layer(spec, x, states, weights)
    assert y.shape == (steps, 0, 5)
    with pytest.raises(InputError, match="the batch is empty"):
        run_layer(spec, x, states, weights, backend="native")
    weights[0] = torch.zeros(20, 0)
    with pytest.raises(InputError) as caught:
        run_layer(spec, torch.zeros(steps, 2, 0), [torch.zeros(2, 5)] * 2, weights)
    assert str(caught.value) == f"input has shape [{steps}, 2, 0]: no feature; expected at least one"
