"""The compiled kernels against the oracle: every cell, every instruction set of this processor."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from peephole._native import instructions

from ..cells import MATRIX

SETS = instructions.supported()
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}

pytestmark = pytest.mark.usefixtures("poisoned_memory")


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    with instructions.using(request.param):
        yield request.param


def compare(task: Any, run: Any, oracle: Any, agree: Callable[..., None], tolerance: float) -> None:
    got, want = task.solve(run), task.widened().solve(oracle)
    assert list(got) == list(want)
    for name, tensor in want.items():
        agree(got[name], tensor, tolerance, name, floor=0.01)


MASKS = pytest.mark.parametrize(
    "masks", [(), ("lengths", "resets", "noise")], ids=["plain", "lengths, resets and noise"]
)
DIRECTIONS = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


@DTYPES
@MASKS
@DIRECTIONS
@pytest.mark.parametrize("kernel_name", ["native", "recomputing"])
@pytest.mark.parametrize("name", MATRIX)
def test_every_cell(
    name: str,
    kernel_name: str,
    reverse: bool,
    masks: tuple[str, ...],
    dtype: torch.dtype,
    instruction_set: str,
    problem: Any,
    kernel: Any,
    oracle: Any,
    agree: Callable[..., None],
) -> None:
    task = problem(MATRIX[name], 37, 5, 4, 21, masks, reverse, dtype)
    compare(task, kernel(kernel_name), oracle, agree, TOLERANCE[dtype])
