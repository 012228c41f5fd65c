"""Memory that is freed while training serves again, and goes back afterwards."""

import platform
import resource

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
    before = pages_cleared(4)
    with freed_memory_kept():
        pages_cleared(1)
        within, held = pages_cleared(4), resident()
    after = pages_cleared(4)
    assert min(before, after) > 1000
    assert within < min(before, after) / 20
    assert resident() <= held - MEGABYTES / 2, "megabytes"


def test_it_goes_back_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), freed_memory_kept():
        raise ZeroDivisionError
    assert pages_cleared(2) > 500
