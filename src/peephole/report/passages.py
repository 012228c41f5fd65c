"""The section on text: what surprised the net, and what its units did meanwhile."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from peephole.report.parts import Choice, Paragraph, Part, Passage, Table
from peephole.report.showing import Cluster, clusters, lines_of, visible_text
from peephole.units import Reading, Stretch, Unit, Units, stretch
from peephole.units.naming import Place

BITS = {  # at which the colour of a token changes
    "characters": (1.0, 2.0, 4.0, 8.0),
    "words": (2.0, 5.0, 8.0, 12.0),
    "pieces": (2.0, 4.0, 7.0, 11.0),
}
DEAR = 2  # of these limits: what costs as much is called dear
LEVELS = 4  # of a unit's value on either side of zero
MOST_SURPRISING = 10
CONTEXT = {"characters": 24, "words": 8, "pieces": 12}  # tokens before such a one
SHOWN, MOST = 1200, 8  # steps of a coloured text, and units that have one


def surprisal_parts(reading: Reading) -> list[Part]:
    """The text coloured by what its characters or words cost, and a table of the dearest."""
    limits, dearly = BITS[reading.unit], BITS[reading.unit][DEAR]
    found = clusters(reading.spelled[0][:SHOWN])[1:]
    bits = np.array([np.nansum(reading.bits[one.start : one.end, 0]) for one in found])
    coloured = [(_surprise_class(value, limits), one.text) for value, one in zip(bits.tolist(), found, strict=True)]
    ends = [f"under {_bits(limits[0])}", *(f"{low:g} to {high:g}" for low, high in pairwise(limits))]
    ends.append(f"{limits[-1]:g} and more")
    scale = tuple((_surprise_class(low, limits), end) for low, end in zip((0.0, *limits), ends, strict=True))
    dear = float(bits[bits >= dearly].sum() / bits.sum()) if bits.sum() else 0.0
    verdict = (
        f"{len(found):,} held-out {reading.unit} cost {bits.mean():.3f} bits each; the {(bits >= dearly).mean():.1%} "
        f"of them that cost {dearly:g} bits or more make {dear:.0%} of the whole."
    )
    return [Passage("Surprisal", verdict, lines_of(coloured), scale), _dearest(found, bits, reading.unit)]


def unit_parts(found: Units, named: Sequence[tuple[Place, int]] = ()) -> list[Part]:
    """Units that were found in a table, and the text coloured by one at a time: by those, or by those `named`."""
    reading = found.reading
    layers = ", ".join(f"{layer.values[layer.state].shape[-1]:,} in {layer.name}" for layer in reading.layers)
    told = (
        f"Of all units ({layers}), their states and gates, those that follow something in the text most closely. Each "
        f"was chosen by |r| on {reading.rows // 2} of {reading.rows} rows of held-out text, {reading.read:,} "
        f"{reading.unit} in all; r and p are of the other rows, p by shifting the property along the text, corrected "
        "for the number of properties (Holm). `peephole units` also takes regular expressions and says what is lost "
        "without each unit; `--units 0:12` shows others."
    )
    table = Table(found.verdict, ("property", "unit", "r where chosen", "r", "Holm's p"), tuple(map(_row, found.each)))
    if named:
        shown = [_shown_of_named(reading, place, unit) for place, unit in named]
    else:
        shown = [_shown_of_found(found, unit) for unit in (found.telling or found.each)[:MOST]]
    return [Paragraph(told), table, Choice("unit", tuple(shown))]


def _row(unit: Unit) -> tuple[str, ...]:
    return unit.follows, unit.name, f"{unit.chosen_r:+.2f}", f"{unit.r:+.2f}", f"{unit.holm:.2g}"


def _shown_of_named(reading: Reading, place: Place, unit: int) -> Passage:
    return _coloured(reading, place, unit, Stretch(0, 0, min(SHOWN, reading.steps)), "asked for")


def _shown_of_found(found: Units, unit: Unit) -> Passage:
    why = f"follows {unit.follows}, r {unit.r:+.2f}"
    return _coloured(found.reading, Place(unit.layer, unit.kind), unit.unit, stretch(found, unit, SHOWN), why)


def _coloured(reading: Reading, place: Place, unit: int, where: Stretch, why: str) -> Passage:
    layer = reading.layers[place.layer]
    values = layer.values[place.kind][where.start : where.stop, where.row, unit].double().numpy()
    widest = float(np.abs(values).max()) if len(values) else 0.0
    reach = 1.0 if widest <= 1.0 else widest
    read = clusters(reading.spelled[where.row][where.start : where.stop])
    coloured = [(_level_class(float(values[one.end - 1]) / reach), one.text) for one in read]
    shown = "tanh(c)" if place.kind == "c" else place.kind
    verdict = (
        f"{why[0].upper()}{why[1:]}. Each {reading.unit[:-1]} has the colour of {shown} after it was read; here it "
        f"goes from {values.min():+.2f} to {values.max():+.2f}, mean {values.mean():+.2f}."
    )
    edge = f"{reach:g}"
    scale = tuple(
        (_level_class(level / LEVELS), {-LEVELS: f"−{edge}", 0: "0", LEVELS: f"+{edge}"}.get(level, ""))
        for level in range(-LEVELS, LEVELS + 1)
    )
    gate = "" if place.kind == layer.state else f", gate {place.kind}"
    return Passage(f"{layer.name}, unit {unit}{gate}: {why}", verdict, lines_of(coloured), scale)


def _dearest(found: list[Cluster], bits: NDArray[np.float64], unit: str) -> Table:
    rows: list[tuple[str, ...]] = []
    for place in np.argsort(-bits, kind="stable")[:MOST_SURPRISING].tolist():
        before = "".join(one.text for one in found[max(0, place - CONTEXT[unit]) : place])
        text = found[place].text
        rows.append((_inline(text.strip(" ") or text), f"{bits[place]:.1f}", _inline(before.strip(" ") or before)))
    return Table("What surprised it most, and what stood before.", (unit[:-1], "bits", "after"), tuple(rows))


def _inline(text: str) -> str:
    shown = visible_text(text).replace("\n", "⏎").replace("\t", "⇥")
    return shown.replace(" ", "␠") if not shown.strip() else shown


def _bits(limit: float) -> str:
    return "1 bit" if limit == 1 else f"{limit:g} bits"


def _surprise_class(bits: float, limits: tuple[float, ...]) -> str:
    level = sum(bits >= limit for limit in limits)
    return f"s{level}" if level else ""


def _level_class(value: float) -> str:
    level = round(LEVELS * max(-1.0, min(1.0, value))) if math.isfinite(value) else 0
    return "" if level == 0 else f"{'p' if level > 0 else 'n'}{abs(level)}"
