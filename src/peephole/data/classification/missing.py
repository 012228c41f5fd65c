"""Values that are missing, from their neighbours in time."""

import numpy as np
from numpy.typing import NDArray


def filled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """`values` `[T, I]` with each NaN on the line between its neighbours in time, at the ends as the nearest.

    A column without any value stays NaN; `ClassificationEncoding` makes it the mean of the training part.
    """
    whole = values.copy()
    steps = np.arange(len(values))
    for column in range(values.shape[1]):
        known = ~np.isnan(values[:, column])
        if known.any() and not known.all():
            whole[:, column] = np.interp(steps, steps[known], values[known, column])
    return whole
