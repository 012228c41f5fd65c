"""What every contestant of a case shares: one set of weights, one input, one upstream gradient; and the oracle."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from peephole.bench.cases import Case, Shape
from peephole.nn.recurrent import Recurrent

SEED = 7  # of weights, inputs and noise: each run of the benchmark measures the same numbers


@dataclass(frozen=True, eq=False)
class Setup:
    """A layer of ours in float32, x `[T, B, I]`, the gradient dy `[T, B, H]` that training starts from."""

    case: Case
    layer: Recurrent
    x: Tensor
    dy: Tensor


def result_names(case: Case) -> tuple[str, ...]:
    """What a run gives, in order: output and final states, and while training the gradients of x and each weight."""
    outputs = ("y", *(f"final {name}" for name in case.spec.states))
    gradients = ("dx", *(f"d{name}" for name in case.spec.parameter_names()))
    return outputs + (gradients if case.training else ())


def make_setup(case: Case, backend: str) -> Setup:
    """The setup of a case, the same numbers every time."""
    shape = case.shape
    options: dict[str, Any] = dict(case.noise)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        layer = Recurrent(case.spec, shape.input_size, shape.hidden_size, backend=backend, **options)
        x = torch.randn(shape.steps, shape.batch, shape.input_size).requires_grad_(case.training)
        dy = torch.randn(shape.steps, shape.batch, shape.hidden_size)
    return Setup(case, layer.train(case.training), x, dy)


def flat(output: Tensor, states: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """Output and final states as one list."""
    return [output, *([states] if isinstance(states, Tensor) else states)]


def oracle(case: Case) -> dict[str, Tensor]:
    """What the equations give in float64, by name: outputs, final states, and the gradients even for inference."""
    return _oracle(case.cell, case.shape, bool(case.noise) and not case.training)


@lru_cache(maxsize=4)  # a case's own and its plain LSTM's, over dtypes and modes
def _oracle(cell: str, shape: Shape, evaluating: bool) -> dict[str, Tensor]:
    setup = make_setup(Case(cell, shape, "float64", "training"), "reference")
    layer = copy.deepcopy(setup.layer).double().train(not evaluating)
    x = setup.x.detach().double().requires_grad_()
    results = flat(*layer(x, seed=SEED))
    gradients = torch.autograd.grad(results[0], [x, *layer.parameters()], setup.dy.double())
    return dict(zip(result_names(setup.case), [*(result.detach() for result in results), *gradients], strict=True))
