"""What a process does with streams: `processes.py fork|memory|go_on …`.

A program of its own, because a fork copies whatever the process of the tests has done before, and what a process takes
of memory says something only where nothing else ran.
"""

import os
import sys
import threading
import time
import warnings
from pathlib import Path

import torch

import peephole
from peephole.streams.snapshot import Snapshot

SECONDS = 60


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
    """Children of a process whose streams another thread steps meanwhile: they go on with them, and open others."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    snapshot = peephole.LSTM(8, 200).snapshot()
    x = torch.randn(3, 16, 8)
    want = snapshot.stream(16).read(x)
    stream = snapshot.stream(16)
    stop = threading.Event()

    def keep_busy() -> None:
        while not stop.is_set():
            stream.step(x[0])

    busy = threading.Thread(target=keep_busy)
    busy.start()
    codes: list[int] = []
    for _ in range(30):
        child = os.fork()
        if not child:
            stream.reset()
            same = torch.equal(stream.read(x), want) and torch.equal(snapshot.stream(16).read(x), want)
            os._exit(0 if same else 1)
        codes.append(wait_for(child))
        if codes[-1]:
            break
    stop.set()
    busy.join()
    assert not any(codes), codes
    stream.reset()
    assert torch.equal(stream.read(x), want)  # the parent still has its team


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory() -> None:
    """A stream that waits costs its state and 64 bytes at most, also once it has stepped; steps cost nothing more."""
    torch.set_num_threads(1)
    count = 150_000
    stream = peephole.GRU(2, 32).stream(1000)
    x = torch.zeros(1000, 2)
    stream.step(x)
    before = resident()
    stream.join(count)
    for ids in stream.ids.split(1000):
        stream.step(x[: len(ids)], ids)
    each = (resident() - before) / count - 4 * stream.record
    assert each <= 64, each
    few = peephole.GRU(2, 32).stream(50)
    for i in range(3000):
        if i == 500:
            before = resident()
        few.step(x[:50])
        few.leave(few.join(3))
    grown = resident() - before
    assert grown <= 1 << 19, grown


def go_on(snapshot: str, states: str, *last: str) -> None:
    """Prints the next 30 symbols of streams that another process has begun."""
    stream = Snapshot.load(snapshot).stream(0)
    stream.load(states)
    print(stream.draw(torch.tensor([int(symbol) for symbol in last]), 30).tolist())


if __name__ == "__main__":
    # Python 3.12 warns of forks in a process with threads, which is what is tried here.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    part, *words = sys.argv[1:]
    {"fork": fork, "memory": memory, "go_on": go_on}[part](*words)
    print(f"{part}: fine")
