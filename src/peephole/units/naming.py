"""Units by the names that people type: 0:12, or 0:12:f for a gate."""

from collections.abc import Sequence

from peephole.errors import InputError
from peephole.spec import CellSpec
from peephole.units.ablating import Place
from peephole.units.reading import state_of


def named_units(names: Sequence[str], spec: CellSpec, layers: int, width: int) -> tuple[tuple[Place, int], ...]:
    """Places and numbers of units that were asked for, of so many layers of so many units; without a gate the state.

    `InputError` for what is none.
    """
    found: list[tuple[Place, int]] = []
    kinds = tuple(dict.fromkeys((state_of(spec.states), *spec.gates)))
    for name in names:
        layer, _, rest = name.partition(":")
        unit, _, kind = rest.partition(":")
        if not (layer.isdecimal() and unit.isdecimal()):
            raise InputError(f"--units has {name!r}; expected layer and unit, such as 0:12, or with a gate, 0:12:f")
        if int(layer) >= layers:
            raise InputError(
                f"--units has {name}; this net has {layers} {'layer' if layers == 1 else 'layers'}, from 0"
            )
        if int(unit) >= width:
            raise InputError(f"--units has {name}; layer {layer} has {width:,} units, from 0")
        if kind and kind not in kinds:
            raise InputError(f"--units has {name}; a {spec.code} has {', '.join(kinds)}")
        found.append((Place(int(layer), kind or kinds[0]), int(unit)))
    return tuple(dict.fromkeys(found))
