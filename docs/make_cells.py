"""Writes docs/cells.md from the specs: `python docs/make_cells.py`. A new switch or value appears by itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peephole.errors import InputError
from peephole.spec import SWITCHES, VARIANTS, CellSpec, spec_of, switch_values

INTRODUCTION = """\
# Cells

Every cell of peephole, written by `docs/make_cells.py` from `peephole.spec`, which the reference, the kernels and the
modules read too.

`x_t` is the input of I numbers, `h_t` the hidden state of H, `c_t` the cell state of H; P is a projection's size.
`∘` multiplies component by component, `σ` is the logistic function. A bias `b` is the sum of `bias_ih` and `bias_hh`,
whose rows are stacked as the gates are, like those of the weights: `weight_ih` holds the `W_i…`, `weight_hh` the
`W_h…`, `weight_ch` the peepholes `p…` or `W_c…`, `weight_gh` the `R…`. `LN(z)` is
`weight_ln ∘ (z - mean z) / √(var z + 1e-5) + bias_ln`, the mean over the units of the gate. Shapes are those of one
layer and direction; a parameter's name ends in `_l0`, `_l0_reverse`, `_l1`, …, and further layers have H (P with a
projection) in place of I, or twice that where the layer has both directions.
"""
HEADINGS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}


@dataclass(frozen=True)
class Size:
    """A whole multiple of H, I or P."""

    factor: int
    letter: str

    def __mul__(self, other: int) -> Size:
        return Size(self.factor * other, self.letter)

    __rmul__ = __mul__

    def __str__(self) -> str:
        return f"{self.factor if self.factor != 1 else ''}{self.letter}"


def count(shapes: dict[str, tuple[Any, ...]]) -> str:
    """The number of parameters as a polynomial."""
    terms: Counter[str] = Counter()
    for shape in shapes.values():
        factor, letters = 1, ""
        for size in shape:
            factor, letters = factor * size.factor, letters + size.letter
        terms["".join(sorted(letters))] += factor
    powers = {letters: letters.replace("HH", "H²") for letters in terms}
    longest_first = sorted(terms, key=lambda letters: (-len(letters), letters))
    return " + ".join(f"{terms[letters] if terms[letters] != 1 else ''}{powers[letters]}" for letters in longest_first)


def sections() -> dict[str, dict[str, CellSpec]]:
    """For each family how a cell is asked for, and the cell: the plain one, each switch alone, the presets."""
    found: dict[str, dict[str, CellSpec]] = {}
    for family, heading in HEADINGS.items():
        cells = {f"peephole.{heading}(I, H)": CellSpec(family)}
        for name, switch in SWITCHES.items():
            if switch.metadata.get("family") not in (None, family):
                continue
            for value in switch_values(name):
                if value == switch.default:
                    continue
                options = {name: value}
                try:
                    spec = CellSpec(family, **options)
                except InputError:  # one switch needs another
                    options = {"peephole": "full"} | options
                    spec = CellSpec(family, **options)
                words = ", ".join(f"{key}={item!r}" for key, item in options.items())
                cells[f"peephole.{heading}(I, H, {words})"] = spec
        if family == "lstm":
            cells["peephole.LSTM(I, H, proj_size=P)"] = CellSpec(family, projected=True)
            for variant in VARIANTS:
                spec = spec_of(family, variant)
                cells[f"peephole.LSTM(I, H, variant={variant!r})"] = spec
        found[heading] = cells
    return found


def section(call: str, spec: CellSpec) -> str:
    """One cell."""
    symbols = Size(1, "I"), Size(1, "H"), Size(1, "P")
    shapes: dict[str, tuple[Any, ...]] = spec.parameter_shapes(*symbols)  # pyright: ignore[reportArgumentType]
    parameters = ", ".join(f"`{name}` [{', '.join(map(str, shape))}]" for name, shape in shapes.items())
    states = ", ".join(
        f"`{name}` [{size}]"
        for name, size in zip(spec.states, spec.state_sizes(*symbols[1:]), strict=True)  # pyright: ignore[reportArgumentType]
    )
    example = spec.parameter_count(128, 256, 64)
    lines = [
        f"### `{call}`",
        "",
        *(f"    {line}" for line in spec.equations),
        "",
        f"- Gates: {', '.join(f'`{gate}`' for gate in spec.gates)}. States: {states}.",
        f"- Parameters: {parameters}; {count(shapes)} numbers, {example:,} with I = 128, H = 256"
        f"{', P = 64' if spec.projected else ''}.",
        f"- Source: {spec.source}.",
    ]
    return "\n".join(lines)


def text() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for heading, cells in sections().items():
        parts.append(f"## {heading}\n")
        parts += [section(call, spec) + "\n" for call, spec in cells.items()]
    return "\n".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("cells.md").write_text(text(), encoding="utf-8")
