"""The compiled kernels against the oracle: every cell, size and dtype on every instruction set of this processor."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from peephole._native import instructions

from ..cells import MATRIX
from ..problems import check

SETS = instructions.supported()
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
KERNELS = ("native", "recomputing")
EVERYTHING = ("lengths", "resets", "noise")
MAIN = ["rnn tanh", "lstm", "lstm projected", "gru", "lstm layer norm"]
# Twelve of H × B × T in which every pair of two sizes meets.
ODD_SIZES = [
    *[(1, 1, 2), (1, 3, 61), (1, 17, 1)],
    *[(7, 1, 61), (7, 3, 1), (7, 17, 2)],
    *[(33, 1, 1), (33, 3, 2), (33, 17, 61)],
    *[(130, 1, 61), (130, 3, 1), (130, 17, 2)],
]
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=["float32", "float64"])

pytestmark = pytest.mark.usefixtures("poisoned_memory")


def test_there_are_compiled_kernels() -> None:
    """Without them every test here would have no instruction set to run with."""
    assert SETS, instructions.MISSING
    assert SETS[-1] == "portable"


@DTYPES
@pytest.mark.parametrize("name", MATRIX)
def test_every_cell(
    name: str,
    dtype: torch.dtype,
    instruction_set: str,
    problem: Any,
    kernel: Any,
    answer: Any,
    agree: Callable[..., None],
) -> None:
    """Two opposite choices of kernel × masks × direction; the other pairs come with other sets and dtypes."""
    slot = len(TOLERANCE) * SETS.index(instruction_set) + list(TOLERANCE).index(dtype)
    turn = list(MATRIX).index(name) + slot
    for which in (0, 1):
        masked, reverse = (which + turn) % 2 == 0, (which + turn // 2) % 2 == 0
        task = problem(MATRIX[name], 37, 5, 4, 21, EVERYTHING if masked else (), reverse, dtype)
        check(task.solve(kernel(KERNELS[which])), answer(task), agree, TOLERANCE[dtype])


@DTYPES
@pytest.mark.parametrize("name", MAIN)
def test_odd_sizes(
    name: str,
    dtype: torch.dtype,
    instruction_set: str,
    problem: Any,
    kernel: Any,
    answer: Any,
    agree: Callable[..., None],
) -> None:
    for i, (hidden, batch, steps) in enumerate(ODD_SIZES):
        masks, reverse = ((), EVERYTHING)[i % 2], i % 4 > 1
        task = problem(MATRIX[name], steps, batch, (1, 3, 20)[i % 3], hidden, masks, reverse, dtype)
        turn = (i + SETS.index(instruction_set)) % 2
        check(task.solve(kernel(KERNELS[turn])), answer(task), agree, 2 * TOLERANCE[dtype])


# The cells whose backward fills buffers of its own beside those of the gates, and those that read other rows of them.
CHUNKED = ["gru before, layer norm", "lstm coupled, full candidate peephole, projected", "rnn 3 taps", "lstm FGR"]


@pytest.mark.parametrize("name", CHUNKED)
def test_sequences_of_several_chunks(
    name: str, instruction_set: str, problem: Any, kernel: Any, answer: Any, agree: Callable[..., None]
) -> None:
    """Steps times rows beyond those that one large product takes, with a last chunk that is shorter."""
    for masks, reverse in (((), True), (EVERYTHING, False)):
        task = problem(MATRIX[name], 53, 19, 3, 9, masks, reverse, torch.float64)
        check(task.solve(kernel("native")), answer(task), agree, 1e-11)


def test_a_batch_larger_than_a_chunk(
    instruction_set: str, problem: Any, kernel: Any, answer: Any, agree: Callable[..., None]
) -> None:
    task = problem(MATRIX["gru"], 3, 401, 3, 5, EVERYTHING, True, torch.float64)
    check(task.solve(kernel("native")), answer(task), agree, 1e-11)


# As in test_kernels_against_reference: what a kernel rounds anew costs an RMS of 2^-8 or less of the scale.
@pytest.mark.parametrize("name", MATRIX)
def test_bfloat16_operands(
    name: str, instruction_set: str, problem: Any, kernel: Any, answer: Any, agree: Callable[..., None]
) -> None:
    turn = list(MATRIX).index(name) + SETS.index(instruction_set)
    task = problem(MATRIX[name], 20, 7, 12, 33, EVERYTHING if turn % 2 else (), turn % 4 > 1, torch.bfloat16)
    for state in task.spec.states:  # states stay float32
        task.tensors[state] = task.tensors[state].float()
    compare_rounded(task, kernel(KERNELS[turn // 2 % 2]), answer, agree)


@pytest.mark.parametrize("name", ["rnn tanh", "lstm", "gru"])
def test_bfloat16_of_odd_sizes(
    name: str, instruction_set: str, problem: Any, kernel: Any, answer: Any, agree: Callable[..., None]
) -> None:
    """Products take pairs of numbers and of steps: odd numbers of both are the hard ones."""
    for i, (hidden, batch, steps) in enumerate([(33, 1, 1), (7, 3, 1), (33, 3, 2), (130, 1, 3), (1, 3, 7), (7, 17, 2)]):
        task = problem(MATRIX[name], steps, batch, (1, 3, 20)[i % 3], hidden, (), i % 2 == 1, torch.bfloat16)
        for state in task.spec.states:
            task.tensors[state] = task.tensors[state].float()
        compare_rounded(task, kernel("native"), answer, agree)


def compare_rounded(task: Any, run: Any, answer: Any, agree: Callable[..., None]) -> None:
    got, want = task.solve(run), answer(task)
    assert list(got) == list(want)
    for key, tensor in want.items():
        low = key == "y" or key.removeprefix("gradient of ") in ("x", *task.spec.parameter_names())
        assert got[key].dtype == (torch.bfloat16 if low else torch.float32), key
        if task.spec.nonlinearity == "relu" and key.startswith("gradient"):
            continue  # rounding moves a unit across the kink, and its gradient is then another one
        more = 4 if task.spec.residual == "full" else 1  # nothing forgets an error there
        agree(got[key], tensor, more * 2**-5, key, rms=more * 2**-7, floor=0.01)
