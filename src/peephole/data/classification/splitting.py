"""Which labelled sequences are held out: as large a share of each label, drawn by a seed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError


def held_out(labels: Sequence[str], share: float, folds: int, fold: int, seed: int) -> NDArray[np.bool_]:
    """True for the sequences `[N]` held out: part `fold` of `folds`, or about `share` of each label without folds.

    The parts of a seed are disjoint and together are everything, but for labels with a single sequence, which stay in
    training: a label that was never learned cannot be scored.

    Raises:
        InputError: nothing would be held out though something is to be.
    """
    chosen = np.zeros(len(labels), bool)
    if not folds and not share:
        return chosen
    random = np.random.default_rng(seed)
    names = np.asarray(labels, object)
    dealt = 0  # goes on from label to label, so that the parts are equal however few sequences a label has
    for label in sorted(set(labels)):
        places = random.permutation(np.flatnonzero(names == label))
        if len(places) == 1:
            continue
        numbers = dealt + np.arange(len(places))
        dealt += len(places)
        if folds:
            chosen[places[numbers % folds == fold]] = True
        else:
            taken = places[np.floor((numbers + 1) * share) > np.floor(numbers * share)]
            chosen[taken[: len(places) - 1]] = True
    if not chosen.any():
        raise InputError(
            f"no sequence to hold out among {len(labels)}; expected some to choose weights by; "
            "give more, a larger --held-out-share, or --held-out-share 0 to train on all"
        )
    return chosen
