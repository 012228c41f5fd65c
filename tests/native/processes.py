"""What a process does with the compiled kernels: `processes.py fork|loader|team|lock`.

A program of its own, because a fork copies whatever the process of the tests has done before, and what a process has
loaded and which threads it has says something only where nothing else ran.
"""

import multiprocessing
import os
import re
import sys
import threading
import time
import warnings
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from peephole.ops import run_layer
from peephole.spec import CellSpec

SPEC = CellSpec("lstm")
SECONDS = 60


def compute(steps: int = 30, batch: int = 16, hidden: int = 24) -> list[Tensor]:
    """Output and gradients of a layer, small enough for torch's own operations to stay on one thread."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(steps, batch, 8, generator=generator, requires_grad=True)
    weights = [
        torch.randn(shape, generator=generator).mul(0.3).requires_grad_()
        for shape in SPEC.parameter_shapes(8, hidden).values()
    ]
    states = [torch.zeros(batch, hidden)] * 2
    y, _ = run_layer(SPEC, x, states, weights, backend="native")
    return [y.detach(), *torch.autograd.grad(y.sum(), [x, *weights])]


def same(got: list[Tensor], want: list[Tensor]) -> bool:
    return all(torch.equal(one, two) for one, two in zip(got, want, strict=True))


def wait_for(child: int) -> int:
    """The exit code of a child, which is killed and counts as failed when it takes too long."""
    for _ in range(100 * SECONDS):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return -1


def fork() -> None:
    """Children of a process whose team has worked, and of one whose other thread is at work meanwhile."""
    torch.set_num_threads(2)
    want = compute()
    for _ in range(3):
        child = os.fork()
        if not child:
            os._exit(0 if same(compute(), want) else 1)
        assert wait_for(child) == 0
        assert same(compute(), want)  # the parent still has its team
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = [pool.apply_async(sums) for _ in range(4)]
        assert all(result.get(timeout=SECONDS) == sums() for result in results)
    stop = threading.Event()

    def keep_busy() -> None:
        while not stop.is_set():
            compute(3, 2, 8)

    busy = threading.Thread(target=keep_busy)
    busy.start()
    for _ in range(20):
        child = os.fork()
        if not child:
            os._exit(0 if same(compute(), want) else 1)
        code = wait_for(child)
        if code:
            stop.set()
        assert code == 0
    stop.set()
    busy.join()


def sums() -> list[float]:
    """Numbers, because torch's copy of a large tensor for another process hangs in a child itself."""
    return [float(tensor.sum()) for tensor in compute()]


class Computing(Dataset[Tensor]):
    """Items that a layer computes in the worker that loads them."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, item: int) -> Tensor:
        return torch.tensor(sums())


def loader() -> None:
    torch.set_num_threads(2)
    want = Computing()[0]
    for batch in DataLoader(Computing(), batch_size=2, num_workers=2, timeout=SECONDS):
        assert bool((batch == want).all())


def team() -> None:
    """One OpenMP in the process, whose threads a call takes when it is asked to, and no more."""
    before = threads()  # libraries that torch brings may have started their own
    torch.set_num_threads(1)
    run_alone()
    assert threads() == before
    torch.set_num_threads(2)
    run_alone()
    assert threads() == before + 1
    torch.randn(400, 400).mm(torch.randn(400, 400)).exp().sum()
    run_alone()
    assert threads() == before + 1  # the thread that torch works with
    maps = Path("/proc/self/maps").read_text()
    assert "_core." in maps
    openmp = {line.split()[-1] for line in maps.splitlines() if re.search(r"lib[gi]?i?omp\d?[^/]*\.so", line)}
    assert len(openmp) == 1, openmp


def run_alone() -> None:
    """A forward of which nothing but the kernel is worth a second thread."""
    x, states = torch.zeros(60, 32, 8), [torch.zeros(32, 96)] * 2
    run_layer(
        SPEC, x, states, [torch.zeros(shape) for shape in SPEC.parameter_shapes(8, 96).values()], backend="native"
    )


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def lock() -> None:
    """Another thread of Python goes on while a kernel runs."""
    torch.set_num_threads(1)
    layer = CellSpec("lstm")
    x, states = torch.randn(400, 64, 64), [torch.zeros(64, 256)] * 2
    weights = [torch.randn(shape).mul(0.05) for shape in layer.parameter_shapes(64, 256).values()]
    inside = [0.0, 0.0]
    ticks: list[float] = []
    ready, stop = threading.Event(), threading.Event()

    def count() -> None:
        ready.set()
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    run_layer(layer, x[:2], states, weights, backend="native")
    other = threading.Thread(target=count)
    other.start()
    ready.wait()
    inside[0] = time.perf_counter()
    run_layer(layer, x, states, weights, backend="native")
    inside[1] = time.perf_counter()
    stop.set()
    other.join()
    length = inside[1] - inside[0]
    # In the middle half there is nothing but the kernel.
    first, last = inside[0] + length / 4, inside[1] - length / 4
    seen = sum(first < tick < last for tick in ticks)
    assert length > 0.05, length
    assert seen >= 5, (seen, length)


if __name__ == "__main__":
    # Python 3.12 warns of forks in a process with threads, which is what is tried here.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    part = sys.argv[1]
    {"fork": fork, "loader": loader, "team": team, "lock": lock}[part]()
    print(f"{part}: fine")
