"""Random masks of the compiled module, bit for bit those of `reference.noise`."""

import torch
from torch import Tensor

from peephole._native.instructions import chosen, core


def words(seed: Tensor, purpose: int, layer: int, steps: int, rows: int, units: int) -> Tensor:
    """Random words of 32 bits as int64 `[steps, rows, units]`."""
    assert core is not None
    out = torch.empty(steps, rows, units, dtype=torch.int64)
    stream = int(seed), purpose << 24 | layer
    core.words(chosen(), *stream, steps, rows, units, out.data_ptr(), torch.get_num_threads())
    return out


def pick(
    seed: Tensor,
    purpose: int,
    layer: int,
    steps: int,
    rows: int,
    units: int,
    limit: int,
    yes: float,
    no: float,
    dtype: torch.dtype,
) -> Tensor:
    """`yes` where the word is below `limit`, else `no`, `[steps, rows, units]`, float32 or float64."""
    assert core is not None
    out = torch.empty(steps, rows, units, dtype=dtype)
    stream = int(seed), purpose << 24 | layer
    full = dtype == torch.float64
    core.choose(chosen(), *stream, steps, rows, units, limit, yes, no, out.data_ptr(), full, torch.get_num_threads())
    return out
