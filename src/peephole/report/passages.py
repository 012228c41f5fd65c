"""The section on text: what surprised the net, and what its units did meanwhile."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from peephole.report.parts import Choice, Paragraph, Part, Passage, Table
from peephole.report.reading import Reading
from peephole.report.showing import Cluster, clusters, lines_of, visible_text
from peephole.report.telling import Unit

BITS = (1.0, 2.0, 4.0, 8.0)  # at which the colour of a character changes
LEVELS = 4  # of a unit's value on either side of zero
MOST_SURPRISING, CONTEXT = 10, 24


def surprisal_parts(reading: Reading) -> list[Part]:
    """The text coloured by what its characters cost, and a table of the dearest."""
    found = clusters(reading.characters[0])[1:]
    bits = np.array([np.nansum(reading.bits[one.start : one.end, 0]) for one in found])
    coloured = [(_surprise_class(value), one.text) for value, one in zip(bits.tolist(), found, strict=True)]
    ends = ["under 1 bit", *(f"{low:g} to {high:g}" for low, high in pairwise(BITS)), "8 and more"]
    scale = tuple((_surprise_class(low), end) for low, end in zip((0.0, *BITS), ends, strict=True))
    dear = float(bits[bits >= 4].sum() / bits.sum()) if bits.sum() else 0.0
    verdict = (
        f"{len(found):,} held-out characters cost {bits.mean():.3f} bits each; the {(bits >= 4).mean():.1%} of them "
        f"that cost 4 bits or more make {dear:.0%} of the whole."
    )
    return [Passage("Surprisal", verdict, lines_of(coloured), scale), _dearest(found, bits)]


def unit_parts(reading: Reading, units: Sequence[Unit]) -> list[Part]:
    """The same text coloured by one unit at a time."""
    found = clusters(reading.characters[0])[1:]
    chosen = tuple(_of_unit(reading, found, unit) for unit in units)
    layers = ", ".join(
        f"{layer.shape[-1]:,} in {name}" for layer, name in zip(reading.units, reading.names, strict=True)
    )
    told = (
        f"Each character has the colour of one unit after it was read: {reading.state}. Of all units ({layers}) those "
        "are here that follow something that can be seen in the text most closely, by the share R² of their variance "
        f"that a straight line explains on {reading.read:,} held-out characters; `--units 0:12` shows others."
    )
    return [Paragraph(told), Choice("unit", chosen)]


def _of_unit(reading: Reading, found: list[Cluster], unit: Unit) -> Passage:
    values = reading.units[unit.layer][:, 0, unit.unit].double().numpy()
    widest = float(np.abs(values).max()) if len(values) else 0.0
    reach = 1.0 if widest <= 1.0 else widest
    coloured = [(_level_class(float(values[one.end - 1]) / reach), one.text) for one in found]
    explained = "" if unit.explained is None else f", R² {unit.explained:.2f}"
    verdict = (
        f"{unit.why[0].upper()}{unit.why[1:]}{explained}. Here it goes from {values.min():+.2f} to "
        f"{values.max():+.2f}, mean {values.mean():+.2f}."
    )
    edge = f"{reach:g}"
    scale = tuple(
        (_level_class(level / LEVELS), {-LEVELS: f"−{edge}", 0: "0", LEVELS: f"+{edge}"}.get(level, ""))
        for level in range(-LEVELS, LEVELS + 1)
    )
    name = f"{reading.names[unit.layer]}, unit {unit.unit}"
    return Passage(f"{name}: {unit.why}", verdict, lines_of(coloured), scale)


def _dearest(found: list[Cluster], bits: NDArray[np.float64]) -> Table:
    rows: list[tuple[str, ...]] = []
    for place in np.argsort(-bits, kind="stable")[:MOST_SURPRISING].tolist():
        before = "".join(one.text for one in found[max(0, place - CONTEXT) : place])
        rows.append((_inline(found[place].text), f"{bits[place]:.1f}", _inline(before)))
    return Table("What surprised it most, and what stood before.", ("character", "bits", "after"), tuple(rows))


def _inline(text: str) -> str:
    shown = visible_text(text).replace("\n", "⏎").replace("\t", "⇥")
    return shown.replace(" ", "␠") if not shown.strip() else shown


def _surprise_class(bits: float) -> str:
    level = sum(bits >= limit for limit in BITS)
    return f"s{level}" if level else ""


def _level_class(value: float) -> str:
    level = round(LEVELS * max(-1.0, min(1.0, value))) if math.isfinite(value) else 0
    return "" if level == 0 else f"{'p' if level > 0 else 'n'}{abs(level)}"
