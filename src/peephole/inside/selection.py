"""Which layers, steps, rows and units are meant."""

from collections.abc import Sequence

import torch
from torch import Tensor

from peephole.errors import InputError

Which = int | slice | range | Sequence[int] | Tensor | None
"""One, several, or all (None), counted from 0."""


def chosen(what: str, which: Which, size: int) -> Tensor | None:
    """Ascending int64 indices among `size`; None where all are meant. Negative ones count from the end, a slice is cut.

    `InputError` for one that is not there, and where nothing is left.
    """
    if which is None:
        return None
    if isinstance(which, slice):
        found = list(range(size))[which]
    elif isinstance(which, Tensor):
        if which.dtype == torch.bool or which.is_floating_point():
            raise InputError(f"{what} are a tensor of {which.dtype}; expected whole numbers")
        found = which.flatten().tolist()
    else:
        found = [which] if isinstance(which, int) else list(which)
    wrong = [one for one in found if isinstance(one, bool) or not isinstance(one, int) or not -size <= one < size]
    if wrong:
        raise InputError(f"{what} name {wrong[0]!r}; expected numbers from 0 to {size - 1}")
    if not found:
        raise InputError(f"{what} name nothing; expected at least one from 0 to {size - 1}")
    return torch.tensor(sorted({one % size for one in found}), dtype=torch.int64)
