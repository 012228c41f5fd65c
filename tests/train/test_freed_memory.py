"""Memory that is freed while training serves again, and goes back afterwards."""

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from peephole.train.freed_memory import freed_memory_kept

MEGABYTES = 128  # more than glibc keeps by itself
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is not glibc's")


def pages_cleared(times: int) -> int:
    """Page faults of writing to a new block so many times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.empty(MEGABYTES << 18).fill_(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    """Megabytes that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() >> 20


def test_freed_memory_serves_again_and_goes_back() -> None:
    """In a process of its own: what others left in the heap decides where a block fits."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_freed_memory as test; print(test.measured())"
    words = [sys.executable, "-c", code, str(Path(__file__).parent)]
    environment = {**os.environ, "PEEPHOLE_NO_HOOK": "1"}
    run = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    before, within, after, held, left = map(int, run.stdout.split()[-5:])
    assert min(before, after) > 1000
    assert within < min(before, after) / 20
    assert left <= held - MEGABYTES / 2, "megabytes"


def measured() -> str:
    """Pages cleared before, within and after, and megabytes held within and after.

    Within, after some blocks: one that was freed may be too small for the next by its alignment, up to seven times.
    """
    before = pages_cleared(4)
    with freed_memory_kept():
        pages_cleared(12)
        within, held = pages_cleared(4), resident()
    after = pages_cleared(4)
    return f"{before} {within} {after} {held} {resident()}"


def test_it_goes_back_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), freed_memory_kept():
        raise ZeroDivisionError
    assert pages_cleared(2) > 500
