"""How much memory this process holds."""

import os
import resource
import sys
from pathlib import Path

import torch

RESIDENT = Path("/proc/self/statm")


def memory_held(device: torch.device) -> int:
    """Bytes: on a GPU the most that torch's allocator has held there, else what this process has in memory now.

    Where the system has no /proc, it is the most that it has had.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        return int(RESIDENT.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
