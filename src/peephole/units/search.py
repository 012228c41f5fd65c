"""The search: for each property the unit that follows it most, chosen on half of the rows and judged on the others."""

from collections.abc import Sequence

import numpy as np

from peephole.errors import InputError
from peephole.tasks.comparing.significance import holm
from peephole.tasks.text.model import TextModel
from peephole.units.ablation import RANDOM, ablations
from peephole.units.correlation import correlations
from peephole.units.found import Unit, Units
from peephole.units.reading import Reading, held_out_window, read_held_out
from peephole.units.shifting import ShiftTest, shift_test
from peephole.units.values import Values, values_of


def find_units(model: TextModel, patterns: Sequence[str] = (), ablate: bool = True, random: int = RANDOM) -> Units:
    """Units whose state or gate follows a property of the text (Karpathy, Johnson & Fei-Fei 2015), found and tested.

        find_units(peephole.load(RUN), ["to do=TODO|FIXME"]).verdict

    The net reads rows of the held-out text. Of each of `PROPERTIES` and of each regular expression, `REGEX` or
    `NAME=REGEX` (1 inside a match; ^ and $ match at every line), the unit of all layers, states and gates with the
    largest |r| on one half of the rows is chosen. On the other half r and the p of a shift test say whether it is more
    than chance, and with `ablate` the net reads with the unit held at its mean, beside `random` others. The model stays
    as it is.

    Raises:
        InputError: the text is gone or too short; an expression is none, never ends, or holds never or always.
    """
    model.need_recurrence()
    return units_of(model, read_held_out(model), patterns, ablate, random)


def units_of(
    model: TextModel, reading: Reading, patterns: Sequence[str] = (), ablate: bool = True, random: int = RANDOM
) -> Units:
    """The units of what `read_held_out` gave for the model; otherwise as `find_units`."""
    model.need_recurrence()
    if reading.rows < 2:
        raise InputError(f"the net read {reading.steps:,} held-out symbols, too few to choose units and to judge them")
    values = values_of(reading, patterns)
    units = _judged(reading, values, _chosen(reading, values))
    if ablate:
        window = held_out_window(model, reading.steps, reading.rows)
        units = ablations(model, reading, window, values.numbers, units, random)
    return Units(tuple(sorted(units, key=lambda unit: -abs(unit.r))), reading, values)


def _chosen(reading: Reading, values: Values) -> list[tuple[int, str, int, float]]:
    """Of each property the layer, state or gate, and unit with the largest |r| on the first half of the rows, and r."""
    half, steps = reading.rows // 2, reading.counted
    best: list[tuple[int, str, int, float]] = [(0, reading.layers[0].state, 0, 0.0)] * len(values.names)
    for number, layer in enumerate(reading.layers):
        for kind, numbers in layer.values.items():
            found = correlations(values.numbers[steps, :half], numbers[steps, :half])
            largest, places = found.abs().max(dim=1)
            for place, (size, unit) in enumerate(zip(largest.tolist(), places.tolist(), strict=True)):
                if size > abs(best[place][3]):
                    best[place] = number, kind, unit, float(found[place, unit])
    return best


def _judged(reading: Reading, values: Values, chosen: Sequence[tuple[int, str, int, float]]) -> list[Unit]:
    half, steps = reading.rows // 2, reading.counted
    tests = list[ShiftTest]()
    for place, (layer, kind, unit, _) in enumerate(chosen):
        states = reading.layers[layer].values[kind][steps, half:, unit]
        tests.append(shift_test(states.double().numpy(), values.numbers[steps, half:, place].numpy()))
    corrected = holm([test.p for test in tests])
    return [
        Unit(name, layer, unit, kind, r, test.r, test.p, p, float(np.quantile(np.abs(test.shifted), 0.99)))
        for name, (layer, kind, unit, r), test, p in zip(values.names, chosen, tests, corrected, strict=True)
    ]
