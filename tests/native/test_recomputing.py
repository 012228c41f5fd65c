"""recompute=True: the same bits of output, states and gradients that cross steps, for less memory."""

from typing import Any

import pytest
import torch

from peephole._native import recomputing
from peephole.ops import run_layer
from peephole.ops.operators import OPERATORS

from ..cells import MATRIX

EVERYTHING = ("lengths", "resets", "noise")
STEPS = recomputing.STEPS


def solve(task: Any, recompute: bool) -> dict[str, torch.Tensor]:
    def run(*arguments: Any, **options: Any) -> Any:
        return run_layer(*arguments, **options, backend="native", recompute=recompute)

    return task.solve(run)


def compare_bits(task: Any, agree: Any) -> None:
    """Bits for all but the weights' gradients, whose sums over steps are taken in other groups."""
    got, want = solve(task, True), solve(task, False)
    assert list(got) == list(want)
    weights = [f"gradient of {name}" for name in task.spec.parameter_names()]
    for name, tensor in want.items():
        if name in weights:
            agree(got[name], tensor, 2**-6 if task.dtype == torch.bfloat16 else 1e-5, name, floor=0.01)
        else:
            assert torch.equal(got[name], tensor), name


@pytest.mark.parametrize("name", MATRIX)
def test_the_same_bits(name: str, problem: Any, agree: Any) -> None:
    """Segments of which the last is shorter, with borders and ends of rows wherever they fall."""
    place = list(MATRIX).index(name)
    for i, (steps, masks) in enumerate([(2 * STEPS + 5, EVERYTHING), (STEPS + 1, ()), (3 * STEPS, ("resets",))]):
        task = problem(MATRIX[name], steps, 5, 3, 9, masks, (place + i) % 2 == 0, torch.float32)
        compare_bits(task, agree)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("name", ["rnn 3 taps", "lstm FGR", "lstm projected", "gru"])
def test_borders_and_ends_where_segments_meet(name: str, reverse: bool, problem: Any, agree: Any) -> None:
    """Rows that start anew one step before, at and after the border of two segments, and rows that end there."""
    steps = 3 * STEPS + 2
    task = problem(MATRIX[name], steps, 8, 3, 9, ("lengths", "resets", "noise"), reverse, torch.float32)
    near = [STEPS - 1, STEPS, STEPS + 1, 2 * STEPS, 2 * STEPS + 2, steps - STEPS, steps - STEPS - 1, steps - STEPS + 1]
    task.resets.zero_()
    for row, border in enumerate(near):
        task.resets[border, row] = True
        task.resets[border - 1, (row + 1) % 8] = True
    task.lengths.copy_(torch.tensor([steps, steps, steps, steps, *near[:4]]))
    compare_bits(task, agree)


@pytest.mark.parametrize("name", ["rnn tanh", "lstm", "gru"])
def test_the_same_bits_in_bfloat16(name: str, problem: Any, agree: Any) -> None:
    """States and gradients cross segments in float32, as they cross steps."""
    task = problem(MATRIX[name], 2 * STEPS + 5, 5, 3, 9, ("lengths", "resets"), False, torch.bfloat16)
    for state in task.spec.states:
        task.tensors[state] = task.tensors[state].float()
    compare_bits(task, agree)


@pytest.mark.parametrize("name", ["rnn 3 taps", "lstm", "lstm projected", "gru layer norm"])
def test_what_is_saved(name: str, problem: Any) -> None:
    """The states of every segment, and nothing where no backward will come."""
    task = problem(MATRIX[name], 3 * STEPS + 1, 4, 3, 10, dtype=torch.float32)
    saved: dict[str, torch.Tensor] = {}
    for kernel in ("native", "recomputing"):
        arguments = (*task.split(task.tensors), None, None, [], task.spec.code, kernel, False)
        saved[kernel] = OPERATORS[task.spec.family](*arguments, True)[2]
        assert OPERATORS[task.spec.family](*arguments, False)[2].numel() == 0
    numbers = sum(task.tensors[state].numel() for state in task.spec.states)
    assert saved["recomputing"].numel() == 4 * numbers
    assert saved["recomputing"].numel() * 8 < saved["native"].numel()
    assert bool(saved["recomputing"].isfinite().all())
    first = torch.cat([task.tensors[state].flatten() for state in task.spec.states])
    assert torch.equal(saved["recomputing"][0].flatten(), first)
