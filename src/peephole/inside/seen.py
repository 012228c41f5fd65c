"""Everything that a trace saw, as tensors, a table, or a file of arrays."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from peephole.errors import InputError
from peephole.inside.traced import TracedCall, TracedLayer
from peephole.writing import write_whole

if TYPE_CHECKING:
    import polars

MOST_ROWS = 50_000_000  # of a table; more is better read as arrays


class Seen:
    """What `trace` saw: `calls` in their order; `layers` of the only one.

    `frame()` is a table with a row for each call, layer, direction, step, row and unit; `save(path)` writes arrays.
    """

    def __init__(self) -> None:
        self._calls: list[tuple[str, list[TracedLayer]]] = []

    def begin(self, module: str) -> list[TracedLayer]:
        """A new call of the net `module`; its layers are to be put into the list."""
        self._calls.append((module, []))
        return self._calls[-1][1]

    @property
    def calls(self) -> tuple[TracedCall, ...]:
        """One a call of a recurrent net."""
        return tuple(TracedCall(module, tuple(layers)) for module, layers in self._calls)

    @property
    def layers(self) -> tuple[TracedLayer, ...]:
        """The layers and directions of the call. `InputError` where there was none, or more than one."""
        calls = self.calls
        if len(calls) != 1:
            what = f"{len(calls)} calls were traced; choose one of seen.calls" if calls else "nothing has run yet"
            raise InputError(f"{what}, then its .layers")
        return calls[0].layers

    def __iter__(self) -> Iterator[TracedLayer]:
        return iter(self.layers)

    def __repr__(self) -> str:
        return f"Seen({', '.join(f'{call.module}: {len(call.layers)} layers' for call in self.calls)})"

    def frame(self) -> "polars.DataFrame":
        """A polars table: call, module, layer, reverse, step, row, unit, and a column for every name of the layers.

        Steps past a row's end are left out. `InputError` without polars, and for more than 50 million rows.
        """
        try:
            import polars
        except ImportError:
            raise InputError("a frame needs polars, which is not installed; pip install 'peephole[frames]'") from None
        count = sum(len(each.steps) * len(each.rows) * len(each.units) for call in self.calls for each in call.layers)
        if count > MOST_ROWS:
            raise InputError(
                f"the table would have {count:,} rows, more than {MOST_ROWS:,}; trace fewer units, steps or layers, "
                "or read the arrays"
            )
        tables = [
            polars.DataFrame(_columns(number, layer)) for number, call in enumerate(self.calls) for layer in call.layers
        ]
        return polars.concat(tables, how="diagonal") if tables else polars.DataFrame()

    def save(self, path: Path | str) -> None:
        """Write an `.npz`: `0/recurrent/layer 0/f` `[step, row, unit]` for call 0, and its coordinates beside it.

        Coordinates are `…/steps`, `…/rows` and `…/units`, `…/alive` where rows have ends; then
        `…/contributions/weight_ih` and so on.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise InputError(f"{path}: expected a name that ends in .npz")
        arrays: dict[str, Any] = {}
        for number, call in enumerate(self.calls):
            for layer in call.layers:
                place = f"{number}/{call.module}/{layer.name}"
                for name in layer.names:
                    arrays[f"{place}/{name}"] = layer[name].cpu().numpy()
                for axis in ("steps", "rows", "units"):
                    arrays[f"{place}/{axis}"] = getattr(layer, axis).cpu().numpy()
                if layer.alive is not None:
                    arrays[f"{place}/alive"] = layer.alive.cpu().numpy()
                for weight in layer.contributions:
                    arrays[f"{place}/contributions/{weight}"] = layer.contributions[weight].cpu().numpy()
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        write_whole(path, content.getvalue())


def _columns(number: int, layer: TracedLayer) -> dict[str, Any]:
    """The table of one layer, as polars takes it."""
    shape = len(layer.steps), len(layer.rows), len(layer.units)
    axes = np.meshgrid(*(each.cpu().numpy() for each in (layer.steps, layer.rows, layer.units)), indexing="ij")
    taken = np.ones(shape, dtype=bool)
    if layer.alive is not None:
        taken &= layer.alive.cpu().numpy()[..., None]
    size = int(taken.sum())
    columns: dict[str, Any] = {
        "call": np.full(size, number),
        "module": [layer.module] * size,
        "layer": np.full(size, layer.layer),
        "reverse": np.full(size, layer.reverse),
    }
    columns |= {name: axis[taken] for name, axis in zip(layer.axes, axes, strict=True)}
    for name in layer.names:
        values = layer[name].cpu().numpy()
        if values.shape != shape:  # a projection has fewer units than the gates
            padded = np.full(shape, np.nan, dtype=values.dtype)
            padded[..., : values.shape[-1]] = values
            values = padded
        columns[name] = values[taken]
    return columns
