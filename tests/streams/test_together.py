"""Several threads of Python on one stream, several streams on one snapshot, forks, and what a stream costs."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from peephole._native import instructions
from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec
from peephole.streams.stream import Stream

from .nets import inputs, language_model, net

PROGRAM = Path(__file__).with_name("processes.py")
CALLERS = 4


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Python changes threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(work: Callable[[int], object]) -> None:
    """`work` of 0 … CALLERS - 1, each on a thread of its own."""
    with ThreadPoolExecutor(CALLERS) as pool:
        for done in [pool.submit(work, caller) for caller in range(CALLERS)]:
            done.result(timeout=60)


@pytest.mark.parametrize("storage", ["float32", "int8"])
def test_streams_of_one_snapshot(storage: str) -> None:
    """One call has the team and the others go on alone; each gives the bits that it gives by itself."""
    made = net("lstm", 37, 200)
    snapshot = made.snapshot(storage)
    x = inputs(made, 6, 9)
    want = snapshot.stream(9).read(x)

    def work(caller: int) -> None:
        torch.set_num_threads(1 + caller % 3)
        for _ in range(5):
            stream = snapshot.stream(9)
            assert torch.equal(torch.stack([stream.step(one) for one in x]), want)

    at_once(work)


def test_threads_that_step_their_own_of_one_stream() -> None:
    made = net("gru", 5, 33)
    stream = made.stream(5 * CALLERS)
    x = inputs(made, 40, 5)
    want = made.stream(5).read(x)

    def work(caller: int) -> None:
        ids = list(range(5 * caller, 5 * caller + 5))
        assert torch.equal(torch.stack([stream.step(one, ids) for one in x]), want)

    at_once(work)


def test_threads_that_step_all_of_a_stream() -> None:
    """A state that counts: every step is somebody's, and nobody's twice."""
    counter = Recurrent(CellSpec("rnn", nonlinearity="relu"), 1, 3)
    with torch.no_grad():
        counter.weight_ih_l0.fill_(1)
        counter.weight_hh_l0.copy_(torch.eye(3))
        counter.bias_ih_l0.zero_()
        counter.bias_hh_l0.zero_()
    stream = counter.stream(5)
    x = torch.ones(5, 1)
    steps = 1500
    found: list[list[float]] = [[] for _ in range(CALLERS)]

    def work(caller: int) -> None:
        for _ in range(steps):
            out = stream.step(x)
            assert bool((out == out[0, 0]).all())
            found[caller].append(float(out[0, 0]))

    at_once(work)
    for each in found:
        assert each == sorted(each)
    assert sorted(count for each in found for count in each) == list(range(1, CALLERS * steps + 1))


def test_streams_that_come_and_go_while_others_step() -> None:
    model = language_model()
    stream = model.stream(2)
    symbols = torch.tensor([3, 5])
    want = torch.stack(steps_of(model.stream(2), symbols, 300))
    stop = threading.Event()

    def come_and_go(caller: int) -> None:
        begin = torch.full((3,), caller)
        known = model.stream(3)
        while not stop.is_set():
            joined = stream.join(3)
            known.reset()
            assert torch.equal(stream.step(begin, joined), known.step(begin))
            stream.leave(joined)

    def work(caller: int) -> None:
        if caller:
            come_and_go(caller)
            return
        try:
            assert torch.equal(torch.stack(steps_of(stream, symbols, 300, [0, 1])), want)
        finally:
            stop.set()

    at_once(work)
    assert stream.ids.tolist() == [0, 1]


def steps_of(stream: Stream, symbols: Tensor, count: int, ids: list[int] | None = None) -> list[Tensor]:
    return [stream.step(symbols, ids) for _ in range(count)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc, and forks")
@pytest.mark.parametrize("part", ["fork", "memory"])
def test_in_a_process_of_its_own(part: str) -> None:
    """A hang is a failure: the time is limited, here and for each child there."""
    environment = {name: text for name, text in os.environ.items() if name != instructions.VARIABLE}
    environment |= {"PEEPHOLE_NO_HOOK": "1"}
    command = [sys.executable, str(PROGRAM), part]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == f"{part}: fine", result.stdout
