"""Which part of the text shows best what a unit does: where property and unit move most together."""

from dataclasses import dataclass

import numpy as np

from peephole.units.found import Unit, Units


@dataclass(frozen=True)
class Stretch:
    """The steps `start` … `stop` − 1 of a row of the reading."""

    row: int
    start: int
    stop: int


def stretch(found: Units, unit: Unit, length: int) -> Stretch:
    """At most `length` steps of the rows that judged the units, from the beginning of a line where one is near.

    The covariance of property and unit within them is the largest, in the direction that it has over all.
    """
    reading = found.reading
    half, steps = reading.rows // 2, reading.steps
    length = min(length, steps)
    x = reading.layers[unit.layer].values[unit.kind][:, half:, unit.unit].double().numpy()
    y = found.values.numbers[:, half:, found.values.names.index(unit.follows)].numpy()
    sums = [np.cumsum(np.concatenate([np.zeros_like(x[:1]), each]), axis=0) for each in (x, y, x * y)]
    of_x, of_y, of_both = (each[length:] - each[:-length] for each in sums)
    together = (of_both - of_x * of_y / length) * np.sign(unit.r)  # [start, row]
    start, row = divmod(int(together.argmax()), together.shape[1])
    breaks = [place for place in range(start, start + length // 3) if reading.spelled[half + row][place] == "\n"]
    if breaks:
        start = breaks[0] + 1
    return Stretch(half + row, start, min(start + length, steps))
