"""What a stream takes that nobody steps: anonymous memory of a process that many streams join."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from peephole.bench.stream_cases import Size

IDLE_SIZE = Size(1, 32)  # small states, beside which what else a stream takes shows
IDLE_STREAMS = 100_000
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class IdleMemory:
    """Bytes of one stream of an LSTM, all in all and of its state; `refused` says why nothing was measured."""

    size: Size
    streams: int
    bytes_each: float
    state_bytes: int
    refused: str = ""

    @property
    def beside_state(self) -> float:
        """Bytes that a stream takes beside its state."""
        return self.bytes_each - self.state_bytes


def measure_idle(streams: int = IDLE_STREAMS) -> IdleMemory:
    """Measured in a process of its own: here others may have given memory back, which streams would take unseen."""
    if not STATUS.exists():
        return IdleMemory(IDLE_SIZE, streams, 0.0, 0, f"this system has no {STATUS}, which tells a process's memory")
    code = f"from peephole.bench.stream_memory import grown; print(*grown({streams}))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    grown_bytes, state_bytes = map(int, run.stdout.split())
    return IdleMemory(IDLE_SIZE, streams, grown_bytes / streams, state_bytes)


def grown(streams: int) -> tuple[int, int]:
    """By how many bytes this process grows when so many streams join, and bytes of the state of one."""
    import torch

    from peephole.nn.layers import LSTM

    layer = LSTM(IDLE_SIZE.hidden_size, IDLE_SIZE.hidden_size, IDLE_SIZE.layers)
    stream = layer.stream()
    stream.step(torch.zeros(1, IDLE_SIZE.hidden_size))  # room for a step, which all streams share
    before = _anonymous()
    stream.join(streams)
    return _anonymous() - before, 4 * stream.record


def _anonymous() -> int:
    """Bytes of memory that belong to no file."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return 1024 * int(line.split()[1])
