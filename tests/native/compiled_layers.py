"""Compiled training on the compiled kernels gives the bits of training that is not: `compiled_layers.py COMPILER`.

A program of its own, because the shape checker that the tests install breaks torch.compile(fullgraph=True).
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from peephole._native import layer, recomputing
from peephole.ops import run_layer

sys.path.insert(0, str(Path(__file__).parents[1]))
from cells import MATRIX

CASES = [("rnn 3 taps", False), ("lstm FGR", True), ("gru", False)]  # a cell, and whether to recompute


def count_calls() -> list[str]:
    """The names of the kernels' backwards as they run."""
    ran: list[str] = []

    def watch(module: Any, name: str) -> None:
        whole: Callable[..., Any] = module.backward

        def backward(*arguments: Any, **options: Any) -> Any:
            ran.append(name)
            return whole(*arguments, **options)

        module.backward = backward

    watch(layer, "native")
    watch(recomputing, "recomputing")
    return ran


def main(compiler: str) -> None:
    torch.set_num_threads(1)
    ran = count_calls()
    for name, recompute in CASES:
        spec = MATRIX[name]
        torch._dynamo.reset()

        def run(
            x: Tensor,
            states: list[Tensor],
            weights: list[Tensor],
            lengths: Tensor,
            resets: Tensor,
            spec: Any = spec,
            recompute: bool = recompute,
        ) -> tuple[Tensor, ...]:
            y, finals = run_layer(
                spec,
                x * 2,
                states,
                weights,
                lengths=lengths,
                resets=resets,
                reverse=True,
                backend="native",
                recompute=recompute,
            )
            return y + 1, *finals

        compiled = torch.compile(run, fullgraph=True, backend=compiler, dynamic=True)
        torch.manual_seed(0)
        for steps, batch in ((7, 3), (70, 4), (33, 2)):
            x = torch.randn(steps, batch, 5, requires_grad=True)
            states = [torch.randn(batch, size) for size in spec.state_sizes(9, 0)]
            weights = [torch.randn(shape).mul(0.3).requires_grad_() for shape in spec.parameter_shapes(5, 9).values()]
            rest = states, weights, torch.randint(0, steps + 1, (batch,)), torch.rand(steps, batch) < 0.2
            found = []
            for function in (compiled, run):
                outputs = function(x, *rest)
                grads = torch.autograd.grad([tensor.square().sum() for tensor in outputs], [x, *weights])
                found.append([*outputs, *grads])
            for one, two in zip(*found, strict=True):
                assert torch.equal(one, two), (name, recompute, steps)
        print(f"{name}: equal")
    assert ran == [("recomputing" if again else "native") for _, again in CASES for _ in range(6)], ran


if __name__ == "__main__":
    main(*sys.argv[1:])
