"""NaN, infinity, the largest and the smallest numbers pass through as in the equations."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ..cells import MATRIX

CELLS = ["rnn tanh", "rnn relu", "rnn softmax", "rnn 3 taps", "lstm", "lstm projected", "gru", "gru before, layer norm"]
NAN, INFINITY = float("nan"), float("inf")


def poison(task: Any, where: str, value: float) -> None:
    """One number of a tensor becomes `value`; of a weight one in the middle of its rows."""
    tensor = task.tensors[where]
    place = (3, 1, 2) if where == "x" else tuple(size // 2 for size in tensor.shape)
    tensor[place] = value


@pytest.mark.parametrize("where", ["x", "h", "weight_ih", "weight_hh", "bias_ih"])
@pytest.mark.parametrize("name", CELLS)
def test_nan_comes_out_where_the_equations_have_it(
    name: str, where: str, instruction_set: str, problem: Any, kernel: Any, answer: Any, oracle: Any
) -> None:
    task = problem(MATRIX[name], 6, 3, 4, 19, dtype=torch.float32)
    poison(task, where, NAN)
    got, want = task.solve(kernel("native")), task.widened().solve(oracle)
    assert bool(want["y"].isnan().any())
    for key, tensor in want.items():
        if tensor is None:
            continue
        assert torch.equal(got[key].isnan(), tensor.isnan()), (key, got[key].isnan().sum(), tensor.isnan().sum())


@pytest.mark.parametrize("value", [INFINITY, -INFINITY])
@pytest.mark.parametrize("name", CELLS)
def test_infinity_in_the_input(
    name: str, value: float, instruction_set: str, problem: Any, kernel: Any, oracle: Any, agree: Callable[..., None]
) -> None:
    """A gate saturates; what is not a number in the equations' output is none here."""
    task = problem(MATRIX[name], 6, 3, 4, 19, dtype=torch.float32)
    poison(task, "x", value)
    got, want = task.solve(kernel("native")), task.widened().solve(oracle)
    assert torch.equal(got["y"].isnan(), want["y"].isnan())
    finite = want["y"].isfinite()
    assert bool(finite.any())
    agree(got["y"][finite], want["y"][finite], 1e-5)
    # Rows that never saw it are as they were: in the recurrence no row knows another.
    for key in ("y", "gradient of x"):
        agree(got[key][:, [0, 2]], want[key][:, [0, 2]], 1e-5, key)


@pytest.mark.parametrize("kernel_name", ["native", "recomputing"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", MATRIX)
def test_what_padding_holds_changes_nothing(
    name: str, dtype: torch.dtype, kernel_name: str, problem: Any, kernel: Any
) -> None:
    """NaN past a row's end reaches no output and no gradient: dz is zero there, and zero times NaN would be NaN."""
    results = []
    for filling in (0.0, NAN):
        task = problem(MATRIX[name], 40, 4, 3, 9, ("lengths",), dtype=dtype)
        past = torch.arange(task.steps)[:, None] >= task.lengths
        assert bool(past.any())
        task.tensors["x"][past] = filling
        results.append(task.solve(kernel(kernel_name)))
    for key, tensor in results[0].items():
        assert bool(tensor.isfinite().all()), key
        assert torch.equal(results[1][key], tensor), key


@pytest.mark.parametrize("name", ["rnn tanh", "rnn softmax", "lstm", "lstm FGR", "gru", "gru before"])
def test_huge_numbers_saturate(
    name: str, instruction_set: str, problem: Any, kernel: Any, oracle: Any, agree: Callable[..., None]
) -> None:
    for size in (1e4, 1e30):
        task = problem(MATRIX[name], 6, 3, 4, 19, dtype=torch.float32)
        task.tensors["x"].mul_(size)
        got, want = task.solve(kernel("native")), task.widened().solve(oracle)
        for key in ("y", *(f"final {state}" for state in task.spec.states)):
            assert bool(want[key].isfinite().all())
            agree(got[key], want[key], 1e-5, key)
        for key, tensor in got.items():
            assert bool(tensor.isfinite().all()), key


@pytest.mark.parametrize("name", ["rnn identity", "lstm", "gru"])
def test_numbers_below_the_normal_ones(
    name: str, instruction_set: str, problem: Any, kernel: Any, answer: Any, agree: Callable[..., None]
) -> None:
    """They are zero inside; outside, torch's own arithmetic keeps them as before."""
    tiny = torch.full((8,), 1e-40)
    assert bool((tiny * 0.5 > 0).all())
    task = problem(MATRIX[name], 6, 3, 4, 19, dtype=torch.float32)
    for tensor in task.tensors.values():
        tensor.mul_(1e-40)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        got = task.solve(kernel("native"))
        for key, tensor in answer(task).items():
            agree(got[key], tensor, 1e-5, key, floor=1e-30)
        assert bool((tiny * 0.5 > 0).all())
        large = torch.full((100_000,), 1e-40)  # on torch's threads
        assert bool((large * 0.5 > 0).all())


@pytest.mark.parametrize("name", ["rnn 3 taps", "lstm", "lstm FGR", "gru"])
def test_lengths_beyond_the_steps_are_the_steps(name: str, problem: Any, kernel: Any) -> None:
    """A compiled graph cannot look at the lengths; whatever they are, nothing beyond the tensors is read."""
    for reverse in (False, True):
        results = []
        for length in (6, 1000, 2**40):
            task = problem(MATRIX[name], 6, 3, 4, 19, ("lengths",), reverse)
            task.lengths[1] = length
            results.append(task.solve(kernel("native")))
        for other in results[1:]:
            assert all(torch.equal(other[key], tensor) for key, tensor in results[0].items())
        task = problem(MATRIX[name], 6, 3, 4, 19, ("lengths",), reverse)
        task.lengths[0] = -(2**40)
        assert bool((task.solve(kernel("native"))["y"][:, 0] == 0).all())
