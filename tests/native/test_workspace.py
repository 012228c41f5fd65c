"""Memory that calls keep for the next: never handed out twice, and not collected without end."""

import gc
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole._native import instructions
from peephole._native.layer import KEPT_FROM

from ..cells import MATRIX


def outputs(task: Any, kernel: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Of a forward whose graph is alive: results, and the leaves they depend on."""
    leaves = {key: tensor.clone().requires_grad_() for key, tensor in task.tensors.items()}
    y, finals = kernel("native")(task.spec, *task.split(leaves), lengths=None, resets=None, reverse=False)
    return [y, *finals], list(leaves.values())


def gradients(results: list[Tensor], leaves: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad([tensor.square().sum() for tensor in results], leaves, retain_graph=True))


def saved_bytes(task: Any) -> int:
    return task.steps * task.batch * task.hidden_size * 5 * 4  # an LSTM's gates and its cell state


def test_graphs_alive_at_once_keep_what_they_saved(problem: Any, kernel: Any) -> None:
    """Layers of one network, and a forward of another between a forward and its backward."""
    tasks = [problem(MATRIX["lstm"], steps, 32, 5, 33, dtype=torch.float32) for steps in (60, 61, 60, 90)]
    assert min(map(saved_bytes, tasks)) > KEPT_FROM
    wants = [gradients(*outputs(task, kernel)) for task in tasks]
    gc.collect()
    alive = [outputs(task, kernel) for task in tasks]
    for graph, want in zip(reversed(alive), reversed(wants), strict=True):
        for _ in range(2):
            assert all(torch.equal(one, two) for one, two in zip(gradients(*graph), want, strict=True))


def test_graphs_that_other_threads_give_back(problem: Any, kernel: Any) -> None:
    """Room goes back from whichever thread drops it last, while others take room."""
    task = problem(MATRIX["lstm"], 60, 32, 5, 33, dtype=torch.float32)
    want = gradients(*outputs(task, kernel))
    wrong: list[int] = []

    def work(place: int) -> None:
        graphs = [outputs(task, kernel) for _ in range(3)]
        for graph in graphs:
            if not all(torch.equal(one, two) for one, two in zip(gradients(*graph), want, strict=True)):
                wrong.append(place)
        handed.append(graphs.pop())

    handed: list[Any] = []
    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert not wrong
    for graph in handed:
        assert all(torch.equal(one, two) for one, two in zip(gradients(*graph), want, strict=True))


def resident() -> int:
    """Bytes of memory that this process has touched and not given back."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at /proc")
def test_memory_does_not_grow(problem: Any, kernel: Any) -> None:
    """Calls of sizes that come in turn, small and large, forward alone and with their backward."""
    tasks = [problem(MATRIX["lstm"], 20 + 7 * i, 16, 5, 33, dtype=torch.float32) for i in range(6)]

    def round_of_calls() -> None:
        for task in tasks:
            gradients(*outputs(task, kernel))

    for _ in range(3):
        round_of_calls()
    before = resident()
    for _ in range(30):
        round_of_calls()
    assert resident() - before < 32 << 20


def test_room_for_numbers(instruction_set: str) -> None:
    """Aligned, as long as asked for, and another's only when nobody holds it."""
    assert instructions.core is not None
    taken: set[int] = set()
    rooms: list[Tensor] = []
    for size in (1, 2**18, 2**21, 2**21 + 1, 5 * 2**20, 1):
        room = torch.from_dlpack(instructions.core.room(size))
        assert room.shape == (size,)
        assert room.dtype == torch.uint8
        assert room.data_ptr() % 64 == 0
        assert room.data_ptr() not in taken
        taken.add(room.data_ptr())
        room.fill_(len(rooms))
        rooms.append(room)
    for number, room in enumerate(rooms):
        assert bool((room == number).all())
