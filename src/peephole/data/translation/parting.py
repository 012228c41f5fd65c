"""Where two files that should go side by side part ways, as far as lengths of lines tell."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def parting_line(sources: Sequence[str], targets: Sequence[str]) -> int:
    """The line, from 1, from which on the longer file is shifted against the shorter; after the last of the shorter
    where it only goes on.

    Long sentences have long translations (Gale & Church 1993): before the place, line i belongs to line i; after it,
    to the line that is as much further as one file is longer. The place where the squared differences of the
    logarithms of their lengths are least in sum. Lines that are equally long all over give no hint, and then it is
    the end of the shorter file.
    """
    shorter, longer = sorted((_lengths(sources), _lengths(targets)), key=len)
    shift, count = len(longer) - len(shorter), len(shorter)
    ratio = longer.mean() - shorter.mean() if count else 0.0
    together = np.square(longer[:count] - shorter - ratio)
    apart = np.square(longer[shift:] - shorter - ratio)
    before = np.concatenate([[0.0], np.cumsum(together)])  # [count + 1], of the lines before each place
    after = np.concatenate([[0.0], np.cumsum(apart[::-1])])[::-1]
    total = before + after
    return int(count - total[::-1].argmin()) + 1


def _lengths(lines: Sequence[str]) -> NDArray[np.float64]:
    return np.log1p(np.array([len(line.strip()) for line in lines], np.float64))
