"""Token ids as n-grams take them: checked, and what each counts as in a context."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def read_as(vocabulary_size: int, boundary: int | None, never: Sequence[int]) -> NDArray[np.int32]:
    """What each token counts as in a context, `[V]`: the boundary in place of what never comes.

    Raises:
        ValueError: ids outside the vocabulary, or tokens that never come in a text without a boundary.
    """
    if never and boundary is None:
        raise ValueError("tokens that never come: expected a boundary, which they count as; give one")
    if boundary in never:
        raise ValueError(f"the boundary {boundary} is among the tokens that never come: expected it to end sentences")
    checked([*never, *(() if boundary is None else (boundary,))], vocabulary_size)
    found = np.arange(vocabulary_size, dtype=np.int32)
    if boundary is not None:
        found[list(never)] = boundary
    return found


def checked(tokens: ArrayLike, vocabulary_size: int) -> NDArray[np.integer]:
    """Ids as an array of integers, `[tokens]`; `ValueError` for those outside the vocabulary."""
    ids = np.asarray(tokens)
    if not np.issubdtype(ids.dtype, np.integer) or ids.dtype.itemsize == 8:  # uint64 with int64 would make floats
        ids = ids.astype(np.int64)
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary_size:
        raise ValueError(f"ids from {ids.min()} to {ids.max()}: expected 0 to {vocabulary_size - 1}")
    return ids
