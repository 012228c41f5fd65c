"""Every piece in other keys: what training may make of it each time that it is read."""

import numpy as np

from peephole.data.music.encoding import NOTES
from peephole.data.music.piece import KEYS
from peephole.data.sequences.store import Array, Pair


class Transposing:
    """Moves a piece up or down by at most `most` semitones, as far as the keys of a piano allow, each as likely.

    In the share `own_key` of the times it stays where it is.
    """

    def __init__(self, most: int, own_key: float = 0.0) -> None:
        self.most, self.own_key = most, own_key

    def __call__(self, pair: Pair, random: np.random.Generator) -> Pair:
        """Inputs and targets of one piece, both moved alike."""
        inputs, targets = pair
        if targets.ndim == 2:
            keys = np.flatnonzero(targets.any(axis=0))
        else:
            symbols = np.asarray(targets, np.int64)
            keys = symbols[symbols > 0] - 1
        if not len(keys) or random.random() < self.own_key:
            return pair
        lowest, highest = int(keys.min()), int(keys.max())
        by = int(random.integers(-min(self.most, lowest), min(self.most, KEYS - 1 - highest) + 1))
        return _moved(inputs, by, entering=True), _moved(targets, by, entering=False)


def _moved(array: Array, by: int, entering: bool) -> Array:
    if array.ndim == 2:
        return np.roll(array, by, axis=1)  # nothing falls off: `by` keeps within the keys
    # of symbols every voice has NOTES, of which the first is silence; before those that enter stands the beginning
    symbols = np.asarray(array, np.int64)
    note = (symbols - 1) % NOTES if entering else symbols
    return np.where((note > 0) & (symbols > 0), symbols + by, symbols)
