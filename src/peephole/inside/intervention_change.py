"""An intervention at work: what the steps of a call are shown to, and what goes on in place of what they made."""

from collections.abc import Sequence

import torch
from torch import Tensor

from peephole.inside.intervention_target import Target, places
from peephole.inside.intervention_value import Side, Value
from peephole.nn.recurrent import Recurrent
from peephole.ops.tracing import Record
from peephole.ops.tracing.beside import Change

Piece = tuple[Tensor, Tensor]
"""Where the numbers of a step `[B, U]` change, and the values for it: sizes of 1 where all are the same."""


class Changing:
    """The `Inside` of one intervention: `multiplies` the target's numbers by the value, or puts it in their place."""

    def __init__(self, target: Target, value: Value, multiplies: bool) -> None:
        self.target, self.value, self.multiplies = target, value, multiplies

    def begin(self, net: Recurrent, steps: int, batch: int, lengths: Tensor | None) -> None:
        """A new call, of which steps, rows and the value's shape are checked before anything runs."""
        target = self.target
        found = places("steps", target.steps, steps), places("rows", target.rows, batch)
        self.steps: Sequence[int] = range(steps) if found[0] is None else found[0]
        self.rows: Sequence[int] = range(batch) if found[1] is None else found[1]
        self.place = {t: number for number, t in enumerate(self.steps)}
        self.sizes = batch, target.size
        self.fitting: dict[Side, Tensor] = {}
        self.prepared: dict[Side, Piece] = {}
        for layer in target.layers:
            for reverse in target.sides:
                self.fitting[layer, reverse] = self.value.fitting(
                    (layer, reverse), self.steps, self.rows, target.chosen_units, (steps, batch)
                )

    @property
    def constant(self) -> bool:
        """Whether every step changes alike."""
        return self.target.steps is None and all(len(value) == 1 for value in self.fitting.values())

    def record(self, net: Recurrent, layer: int, reverse: bool) -> Record | None:
        return None

    def change(self, net: Recurrent, layer: int, reverse: bool) -> Change | None:
        if not self.target.meets(layer, reverse):
            return None

        def change(t: int, name: str, value: Tensor) -> Tensor:
            if name != self.target.name:
                return value
            piece = self.at((layer, reverse), t, value)
            if piece is None:
                return value
            where, new = piece
            # where makes a tensor of its own for each step, whose gradient is that step's alone
            return torch.where(where, value * new if self.multiplies else new, value)

        return change

    def at(self, side: Side, t: int, like: Tensor) -> Piece | None:
        """What changes at a step; nothing where that step is left alone."""
        if t not in self.place:
            return None
        if side not in self.prepared:
            self.prepared[side] = self._prepare(side, like)
        where, values = self.prepared[side]
        return where, values[self.place[t] if len(values) > 1 else 0]

    def _prepare(self, side: Side, like: Tensor) -> Piece:
        """The values spread over all rows and units, `[steps or 1, B or 1, U or 1]`, and where they count."""
        value = self.fitting[side].to(device=like.device, dtype=like.dtype)
        where = torch.ones(1, 1, dtype=torch.bool, device=like.device)
        everything = self.target.rows is None, self.target.units is None
        for axis, index, all_of_them in zip((0, 1), (self.rows, self.target.chosen_units), everything, strict=True):
            if all_of_them:
                continue
            size = self.sizes[axis]
            numbers = torch.tensor(list(index), device=like.device)
            meant = torch.zeros(size, dtype=torch.bool, device=like.device)
            meant[numbers] = True
            where = where & (meant[:, None] if axis == 0 else meant[None])
            if value.shape[axis + 1] > 1:
                shape = [*value.shape]
                shape[axis + 1] = size
                value = value.new_zeros(shape).index_copy(axis + 1, numbers, value)
        return where, value


class Unchanged:
    """The equations for the same layers, which change nothing: what a change is compared with, to the last bit.

    `shapes` are the T, B of the calls. What `changing` would do is checked there, before anything runs.
    """

    def __init__(self, targets: Sequence[Target], changing: Sequence[Changing] = ()) -> None:
        self.targets, self.changing = tuple(targets), tuple(changing)
        self.shapes: list[tuple[int, int]] = []

    def begin(self, net: Recurrent, steps: int, batch: int, lengths: Tensor | None) -> None:
        for one in self.changing:
            one.begin(net, steps, batch, lengths)
        self.shapes.append((steps, batch))

    def record(self, net: Recurrent, layer: int, reverse: bool) -> Record | None:
        return None

    def change(self, net: Recurrent, layer: int, reverse: bool) -> Change | None:
        return _same if any(target.meets(layer, reverse) for target in self.targets) else None


def _same(t: int, name: str, value: Tensor) -> Tensor:
    return value
