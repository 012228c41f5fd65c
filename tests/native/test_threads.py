"""No number of threads changes a bit; calls from several threads, forks and torch's own threads get along."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from peephole._native import instructions

from ..cells import MATRIX

PROGRAM = Path(__file__).with_name("processes.py")
EVERYTHING = ("lengths", "resets", "noise")

# (T, B, H, dtype): threads split the units; the rows, with several chunks; rows that do not divide evenly; more threads
# than unit blocks and too few rows.
SIZES = [
    (9, 3, 130, torch.float32),
    (61, 40, 33, torch.float32),
    (47, 17, 7, torch.float64),
    (5, 2, 3, torch.bfloat16),
    (61, 19, 21, torch.bfloat16),
]
# One a kind of buffer that members of the team share: before, now, fed back and shown states, moments, softmax.
SHARING = [
    "rnn softmax",
    "rnn 2 taps, residual, layer norm",
    "lstm",
    "lstm coupled, full candidate peephole, projected",
    "lstm gates fed back, coupled, full peephole",
    "lstm layer norm, full candidate peephole",
    "gru",
    "gru before, layer norm",
]


def assert_same_bits(got: dict[str, torch.Tensor], want: dict[str, torch.Tensor], what: object) -> None:
    assert list(got) == list(want)
    for name, tensor in want.items():
        assert bool(tensor.isfinite().all()), name
        assert torch.equal(got[name], tensor), (name, what)


@pytest.mark.parametrize("name", SHARING)
def test_threads_change_no_bit(name: str, instruction_set: str, problem: Any, kernel: Any) -> None:
    for i, (steps, batch, hidden, dtype) in enumerate(SIZES):
        task = problem(MATRIX[name], steps, batch, 5, hidden, EVERYTHING if i % 2 else (), i % 3 == 1, dtype)
        torch.set_num_threads(1)
        want = task.solve(kernel("native"))
        for threads in (2, 3):
            torch.set_num_threads(threads)
            assert_same_bits(task.solve(kernel("native")), want, (threads, steps, batch, hidden))


@pytest.mark.parametrize("name", MATRIX)
def test_threads_change_no_bit_of_any_cell(name: str, problem: Any, kernel: Any) -> None:
    """Chunks follow one another while members of the team are apart by up to a chunk: a race shows in some rounds."""
    task = problem(MATRIX[name], 90, 40, 3, 17, (), False, torch.float32)
    want = task.solve(kernel("native"))
    torch.set_num_threads(2)
    for _ in range(3):
        assert_same_bits(task.solve(kernel("native")), want, name)


def test_calls_from_several_threads_at_once(problem: Any, kernel: Any) -> None:
    """One call has the team and the others go on alone; each gives the bits that it gives by itself."""
    tasks = [
        problem(MATRIX[name], 40, 24, 5, 33, masks, dtype=torch.float32)
        for name, masks in (("lstm", ()), ("gru", EVERYTHING), ("lstm FGR", ()), ("rnn 3 taps", EVERYTHING))
    ]
    wants = [task.solve(kernel("native")) for task in tasks]

    def work(place: int) -> None:
        torch.set_num_threads(2)
        for _ in range(10):
            assert_same_bits(tasks[place].solve(kernel("native")), wants[place], place)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, place) for place in range(4)]:
            done.result(timeout=60)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc, and forks")
@pytest.mark.parametrize("part", ["fork", "loader", "team", "lock"])
def test_in_a_process_of_its_own(part: str) -> None:
    """A hang is a failure: the time is limited, here and for each child there."""
    environment = {name: text for name, text in os.environ.items() if name != instructions.VARIABLE}
    environment |= {"PEEPHOLE_NO_HOOK": "1"}
    command = [sys.executable, str(PROGRAM), part]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == f"{part}: fine", result.stdout
