"""What an intervention puts in place of numbers, or multiplies them by: given, or those of another run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.inside.intervention_target import Target
from peephole.inside.seen import Seen
from peephole.inside.traced import TracedCall, TracedLayer

Side = tuple[int, bool]  # a layer, and whether it is its reverse direction


@dataclass(frozen=True, eq=False)
class Given:
    """A number, or a tensor that broadcasts to `[steps, rows, units]`; `what` is the argument's name."""

    value: Tensor
    what: str

    @property
    def text(self) -> str:
        """The number, or the shape of the tensor."""
        return f"{float(self.value.detach()):.6g}" if not self.value.dim() else f"a tensor {list(self.value.shape)}"

    def fitting(
        self, side: Side, steps: Sequence[int], rows: Sequence[int], units: Sequence[int], size: tuple[int, int]
    ) -> Tensor:
        """The values of a layer and direction for these steps, rows and units of a call of T, B = `size`.

        `[steps, rows, units]`, with 1 where all are the same. `InputError` where they do not fit.
        """
        want = len(steps), len(rows), len(units)
        value = self.value.reshape((1,) * (3 - self.value.dim()) + tuple(self.value.shape))
        if any(got not in (1, full) for got, full in zip(value.shape, want, strict=True)):
            raise InputError(
                f"{self.what} has shape {list(self.value.shape)}, which does not broadcast to [steps, rows, units] = "
                f"{list(want)}; give a number or a tensor that does"
            )
        return value

    def part(self, axis: int, number: int) -> "Given":
        """Those of one of the steps (axis 0) or units (axis 2), by its place among those chosen."""
        value = self.value
        place = axis - (3 - value.dim())  # among those dimensions that it has
        return self if place < 0 or value.shape[place] == 1 else Given(value.narrow(place, number, 1), self.what)


def given_value(value: Any, what: str, target: Target) -> Given:
    """The argument `what` as a value; `InputError` as far as can be said before the call."""
    wrong = isinstance(value, bool | str) or value is None
    try:
        tensor = value if isinstance(value, Tensor) else torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        wrong, tensor = True, torch.zeros(())
    if wrong or tensor.is_complex() or tensor.dtype == torch.bool:
        raise InputError(f"{what} is {value!r}; expected a number, or a tensor [steps, rows, units] of numbers")
    if tensor.dim() > 3 or (tensor.dim() and tensor.shape[-1] not in (1, len(target.chosen_units))):
        raise InputError(
            f"{what} has shape {list(tensor.shape)}, which does not broadcast to [steps, rows, units] with "
            f"{len(target.chosen_units)} units; give a number or a tensor that does"
        )
    if not bool(torch.isfinite(tensor.detach()).all()):
        raise InputError(f"{what} is not finite; give numbers that are")
    # a Python number becomes exact in whatever dtype the net has
    return Given(tensor if tensor.is_floating_point() and isinstance(value, Tensor) else tensor.double(), what)


@dataclass(frozen=True, eq=False)
class OfRun:
    """The values that another run had: for each layer and direction `[steps, rows, units]` with their coordinates.

    Its methods are `Given`'s.
    """

    values: Mapping[Side, Tensor]
    coordinates: Mapping[Side, tuple[Sequence[int], Sequence[int], Sequence[int]]]

    text = "another run"

    def fitting(
        self, side: Side, steps: Sequence[int], rows: Sequence[int], units: Sequence[int], size: tuple[int, int]
    ) -> Tensor:
        value, known = self.values[side], self.coordinates[side]
        there = tuple(value.shape)
        # a range: all of them, whichever those are
        other_steps = isinstance(steps, range) and there[0] != size[0]
        if other_steps or (isinstance(rows, range) and there[1] not in (1, size[1])):
            raise InputError(
                f"the run to swap from has {there[0]} steps and {there[1]} rows, this call {size[0]} and {size[1]}; "
                "give a run of the same shape, or choose steps and rows that both have"
            )
        for axis, (what, wanted) in enumerate((("steps", steps), ("rows", rows), ("units", units))):
            if what == "rows" and there[1] == 1:
                continue  # one row for all
            place = {one: number for number, one in enumerate(known[axis])}
            lacking = [one for one in wanted if one not in place]
            if lacking:
                raise InputError(
                    f"the run to swap from has no {what[:-1]} {lacking[0]}; it has {len(place)} {what}: choose among "
                    "those, or trace all"
                )
            if tuple(wanted) != tuple(known[axis]):
                index = torch.tensor([place[one] for one in wanted], device=value.device)
                value = value.index_select(axis, index)
        return value

    def part(self, axis: int, number: int) -> "OfRun":
        return self  # taken by its coordinates


Value = Given | OfRun


def value_of_run(source: Any, target: Target) -> OfRun:
    """The target's values in a trace, in one of its calls, or in one of its layers. `InputError` where they are not."""
    if isinstance(source, TracedLayer):
        if len(target.layers) * len(target.sides) != 1:
            raise InputError(
                f"the source is {source.name} alone and {len(target.layers) * len(target.sides)} layers and directions "
                "would change; choose one with layer= and reverse=, or give the whole trace"
            )
        layers = {(target.layers[0], target.sides[0]): source}
    elif isinstance(source, Seen | TracedCall):
        layers = {(layer.layer, layer.reverse): layer for layer in source.layers}
    else:
        raise InputError(f"source is a {type(source).__name__}; expected what a trace gave, or one of its layers")
    values: dict[Side, Tensor] = {}
    coordinates: dict[Side, tuple[Sequence[int], Sequence[int], Sequence[int]]] = {}
    for side in ((layer, reverse) for layer in target.layers for reverse in target.sides):
        if side not in layers:
            name = f"layer {side[0]}{' reverse' if side[1] else ''}"
            raise InputError(
                f"the run to swap from has no {name}; it has {', '.join(one.name for one in layers.values())}"
            )
        traced = layers[side]
        value = traced[target.name]
        units = traced.units.tolist()[: value.shape[-1]]  # h may have fewer than the gates
        lacking = set(target.chosen_units) - set(units)
        if lacking or (target.units is None and len(units) != target.size):
            raise InputError(
                f"the run to swap from has {len(units)} units of {target.name} in {traced.name}, this net "
                f"{target.size}; give a run of the same shape, or choose units that both have"
            )
        values[side] = value
        coordinates[side] = traced.steps.tolist(), traced.rows.tolist(), units
    return OfRun(values, coordinates)
