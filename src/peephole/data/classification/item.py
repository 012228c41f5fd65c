"""One labelled sequence."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Numbers [T, I], a text, or the file of a recording.
Content = NDArray[np.float32] | str | Path


@dataclass(frozen=True, eq=False)
class Item:
    """A sequence as it stands in its file.

    Attributes:
        name: where it stands, `vowels.ts, line 12`.
        label: None where it has none, to be predicted.
        content: what it is.
        interpolated: values that were missing and are drawn between their neighbours.
    """

    name: str
    label: str | None
    content: Content
    interpolated: int = 0


@dataclass(frozen=True)
class Skipped:
    """Something that was left out, and why."""

    name: str
    reason: str
