"""The short way to the kernels: the operators' bits, and a step aside where something else has to see the call."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from peephole.ops import run_layer, straight
from peephole.spec import CellSpec

from ..cells import MATRIX

CELLS = [name for name, spec in MATRIX.items() if spec.family in ("rnn", "lstm", "gru")]
WITH_OWN_BUFFERS = ["rnn 3 taps", "lstm", "lstm projected", "lstm full peephole", "lstm FGR", "gru", "gru before"]
EVERYTHING = ("lengths", "resets", "noise")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kernels that were reached by the short way."""
    calls: list[str] = []
    original = straight.run

    def run(operands: Any, kernel: str, save: bool, piece: Any = None) -> Any:
        calls.append(kernel)
        return original(operands, kernel, save, piece)

    monkeypatch.setattr(straight, "run", run)
    return calls


def by_function(recompute: bool) -> Any:
    def run(*arguments: Any, **options: Any) -> Any:
        return run_layer(*arguments, **options, backend="native", recompute=recompute)

    return run


@pytest.mark.parametrize("kernel_name", ["native", "recomputing"])
@pytest.mark.parametrize("name", CELLS)
def test_bits_of_the_operators(name: str, kernel_name: str, problem: Any, kernel: Any, taken: list[str]) -> None:
    task = problem(MATRIX[name], 37, 5, 4, 9, EVERYTHING, dtype=torch.float32)
    got = task.solve(by_function(kernel_name == "recomputing"))
    assert taken == [kernel_name]
    for key, tensor in task.solve(kernel(kernel_name)).items():
        assert torch.equal(got[key], tensor), key


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("wanted", ["x", "weights", "states"])
@pytest.mark.parametrize("name", WITH_OWN_BUFFERS)
def test_what_is_not_wanted_is_left_out(name: str, wanted: str, recompute: bool, problem: Any) -> None:
    """The gradients that remain are the same bits."""
    task = problem(MATRIX[name], 37, 5, 4, 9, EVERYTHING, dtype=torch.float32)

    def gradients(needed: str) -> dict[str, Tensor | None]:
        leaves = {key: tensor.clone() for key, tensor in task.tensors.items()}
        x, states, weights = task.split(leaves)
        for group, tensors in {"x": [x], "states": states, "weights": weights}.items():
            for tensor in tensors:
                tensor.requires_grad_(needed in (group, "all"))
        options = {"lengths": task.lengths, "resets": task.resets, "masks": task.noise}
        y, finals = by_function(recompute)(task.spec, x, states, weights, **options)
        (y.square().sum() + sum(final.sum() for final in finals)).backward()
        return {key: leaf.grad for key, leaf in leaves.items() if leaf.requires_grad}

    every = gradients("all")
    some = gradients(wanted)
    assert 0 < len(some) < len(every)
    for key, gradient in some.items():
        assert gradient is not None, key
        assert torch.equal(gradient, every[key]), key


def arguments(requires_grad: bool = False) -> tuple[CellSpec, Tensor, list[Tensor], list[Tensor]]:
    spec, generator = MATRIX["lstm"], torch.Generator().manual_seed(1)
    shapes = [(2, 2, 2), (2, 3), (2, 3), *spec.parameter_shapes(2, 3).values()]
    x, h, c, *weights = (
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_(requires_grad) for shape in shapes
    )
    return spec, x, [h, c], weights


def test_second_derivatives(taken: list[str]) -> None:
    spec, x, states, weights = arguments(requires_grad=True)

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        y, finals = run_layer(spec, tensors[0], tensors[1:3], tensors[3:], backend="native")
        return y, *finals

    assert gradgradcheck(run, (x, *states, *weights))
    assert taken


class Watch(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


def test_modes_see_the_operator(taken: list[str]) -> None:
    with Watch() as watch:
        run_layer(*arguments(), backend="native")
    assert any("peephole.lstm" in name for name in watch.seen)
    assert not taken


class Marked(Tensor):
    """A tensor of another class."""


def test_tensors_of_other_classes_go_round(taken: list[str]) -> None:
    spec, x, states, weights = arguments()
    run_layer(spec, x.as_subclass(Marked), states, weights, backend="native")
    assert not taken
    run_layer(spec, x, states, [nn.Parameter(weight) for weight in weights], backend="native")
    assert taken == ["native"]
