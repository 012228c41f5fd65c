"""Which units to show: those that follow something about the text that a person can see.

Of each property (how deep in brackets, how far in the line) the unit that goes with it most, by the share of the unit's
variance that a straight line explains, R², counted on held-out text. Karpathy, Johnson & Fei-Fei 2015 found such units
by eye.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.errors import InputError
from peephole.report.reading import Reading

LEAST = 0.1  # R² under which a unit is not said to follow anything
MOST = 8  # units that are chosen
UNITS_TOGETHER = 1 << 14  # looked at at a time, so that memory does not grow with the net

OPENING, CLOSING = "([{", ")]}"
PROPERTIES = (
    "whether the text is inside double quotes",
    "how deep in brackets the text is",
    "how far in the line the character is",
    "how far in the word the character is",
    "how far the line is indented",
    "whether the character is a capital letter",
    "whether the character is a digit",
    "whether the character is blank",
    "how unexpected the character was, in bits",
)


@dataclass(frozen=True)
class Unit:
    """A unit of a layer and why it is shown. `explained` is R²; None where it was asked for or only moves a lot."""

    layer: int
    unit: int
    why: str
    explained: float | None = None

    @property
    def name(self) -> str:
        """As it is asked for: 0:12."""
        return f"{self.layer}:{self.unit}"


def telling_units(reading: Reading) -> tuple[Unit, ...]:
    """At most `MOST` units, the best explained first; filled up with those that move most."""
    seen = properties_of(reading)  # [N, P]
    explained, spread = [], []
    for layer in reading.units:
        flat = layer.flatten(0, 1)  # [N, U]
        parts = [_explained(seen, part) for part in flat.split(UNITS_TOGETHER, dim=1)]
        explained.append(torch.cat(parts, dim=1))
        spread.append(torch.cat([part.double().std(0) for part in flat.split(UNITS_TOGETHER, dim=1)]))
    chosen: dict[tuple[int, int], Unit] = {}
    for number, name in enumerate(PROPERTIES):
        of_layers = [(float(values[number].max()), layer) for layer, values in enumerate(explained)]
        share, layer = max(of_layers, key=lambda pair: pair[0])
        unit = int(explained[layer][number].argmax())
        known = chosen.get((layer, unit))
        if share >= LEAST and (known is None or (known.explained or 0.0) < share):
            chosen[layer, unit] = Unit(layer, unit, f"follows {name}", share)
    found = sorted(chosen.values(), key=lambda one: -(one.explained or 0.0))[:MOST]
    for layer, values in enumerate(spread):
        for unit in values.argsort(descending=True)[:2].tolist():
            if len(found) < MOST and (layer, unit) not in chosen:
                found.append(
                    Unit(layer, unit, f"moves most in its layer, standard deviation {float(values[unit]):.2g}")
                )
    return tuple(found)


def named_units(names: Sequence[str], layers: int, width: int) -> tuple[Unit, ...]:
    """Units that were asked for, such as 0:12, of so many layers of so many units. `InputError` for what is none."""
    found: list[Unit] = []
    for name in names:
        layer, _, unit = name.partition(":")
        if not (layer.isdecimal() and unit.isdecimal()):
            raise InputError(f"--units has {name!r}; expected layer and unit, such as 0:12")
        if int(layer) >= layers:
            raise InputError(
                f"--units has {name}; this net has {layers} {'layer' if layers == 1 else 'layers'}, from 0"
            )
        if int(unit) >= width:
            raise InputError(f"--units has {name}; layer {layer} has {width:,} units, from 0")
        found.append(Unit(int(layer), int(unit), "asked for"))
    return tuple(dict.fromkeys(found))


def properties_of(reading: Reading) -> NDArray[np.float64]:
    """A column for each of `PROPERTIES`, a row for each step and row of the reading: `[T·B, P]`."""
    rows = [_of_row(characters) for characters in reading.characters]
    stacked = np.stack(rows, axis=1)  # [T, B, P − 1]
    bits = np.nan_to_num(reading.bits)[..., None]
    return np.concatenate([stacked, bits], axis=-1).reshape(-1, len(PROPERTIES))


def _of_row(characters: Sequence[str]) -> NDArray[np.float64]:
    found = np.zeros((len(characters), len(PROPERTIES) - 1))
    quoted, depth, column, in_word, indent, at_start = False, 0, 0, 0, 0, True
    for place, character in enumerate(characters):
        if character == "\n":
            column, in_word, indent, at_start = 0, 0, 0, True
        else:
            column += 1
            blank = character.isspace()
            at_start = at_start and blank
            indent += at_start
            in_word = in_word + 1 if character.isalnum() or character == "_" else 0
        quoted ^= character == '"'
        depth = max(0, depth + (character in OPENING and character != "") - (character in CLOSING and character != ""))
        found[place] = (quoted, depth, column, in_word, indent, character.isupper(), character.isdigit(),
                        character.isspace())  # fmt: skip
    return found


def _explained(seen: NDArray[np.float64], units: Tensor) -> Tensor:
    """R² of every unit with every property, `[P, U]`; 0 where one of them does not change."""
    return (_standard(torch.from_numpy(seen)).t() @ _standard(units.double()) / len(seen)).square()


def _standard(values: Tensor) -> Tensor:
    centred = values - values.mean(0)
    deviation = centred.square().mean(0).sqrt()
    return torch.where(deviation > 1e-9, centred / deviation.clamp_min(1e-9), 0.0)
