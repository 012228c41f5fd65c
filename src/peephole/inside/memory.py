"""Whether a trace would fit into memory, before it is made."""

from pathlib import Path

import torch

from peephole.errors import InputError

LEFT_FREE = 0.9  # share of the free memory that a trace may take
UNKNOWN = 1 << 62


def free_bytes(device: torch.device) -> int:
    """Bytes that can be had on a device: of a processor what the system and its container leave, else the GPU's."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(_available(), _left_in_container())


def check_fits(what: str, numbers: int, itemsize: int, steps: int, units: int, device: torch.device) -> None:
    """Raise `InputError` where `numbers` of `itemsize` bytes do not fit, with a filter that would."""
    needed = numbers * itemsize
    if needed < 1 << 24:
        return
    free = LEFT_FREE * free_bytes(device)
    if needed <= free:
        return
    fitting = max(1, int(steps * free / needed))
    some = max(1, int(units * free / needed))
    raise InputError(
        f"the trace of {what} would hold {needed / 1e9:,.1f} GB and {free / 1e9:,.1f} GB are to be had; keep a part "
        f"with trace(…, steps=slice(0, {fitting})) or units=range({some}), or fewer layers or rows"
    )


def _available() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return UNKNOWN
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else UNKNOWN


def _left_in_container() -> int:
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text().strip()
    except OSError:
        return UNKNOWN
    return max(0, int(limit) - int(used)) if limit.isdecimal() else UNKNOWN
