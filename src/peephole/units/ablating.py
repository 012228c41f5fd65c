"""A net that reads with one unit held at its mean, many units in one call: what a probe then sees, what text costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from peephole.data.lanes import Window
from peephole.inside.nets import looked_into
from peephole.nn.recurrent import Recurrent
from peephole.operands import Selection
from peephole.ops.tracing import Record
from peephole.ops.tracing.beside import Change
from peephole.tasks.text.model import TextModel
from peephole.units.probe import Probe
from peephole.units.reading import surprise

STEPS_TOGETHER = 1 << 15  # of all rows of all copies in one call: 160 MB a layer of 256 units, gates and all


@dataclass(frozen=True)
class Place:
    """A state or gate of a layer, by the cell's name; the probe reads it in all layers."""

    layer: int
    kind: str


@dataclass(frozen=True, eq=False)
class Ablated:
    """Of each of K ablated units: what the probe `predicted` `[K, T, B, P]`, and what the next symbols cost in `nats`
    `[K, T, B]`.
    """

    predicted: Tensor
    nats: Tensor


@torch.no_grad()
def ablated(
    model: TextModel,
    window: Window,
    states: Sequence[Tensor],
    probe: Probe,
    place: Place,
    held: Sequence[tuple[int, float]],
) -> Ablated:
    """Read the window from `states` once for each (unit, value) of `held`, with that unit of `place` at that value.

    Without any unit: once, as the net is, by the same equations. The net has to be in evaluation mode.
    """
    steps, rows = window.inputs.shape
    together = max(1, STEPS_TOGETHER // (steps * rows))
    predicted, nats = list[Tensor](), list[Tensor]()
    for start in range(0, max(1, len(held)), together):
        copies = _Copies(probe, place, held[start : start + together])
        count = copies.count
        resets = None if window.resets is None else window.resets.repeat(1, count)
        before = [state.repeat(1, count, 1) for state in states]
        with looked_into(model.model.recurrent, copies):
            features, _ = model.model.features(window.inputs.repeat(1, count), before, resets)
        predicted.append(copies.predicted.unflatten(1, (count, rows)).movedim(1, 0))
        for copy in features.unflatten(1, (count, rows)).unbind(1):
            nats.append(surprise(model, window, copy))
    return Ablated(torch.cat(predicted), torch.stack(nats))


class _Copies:
    """The `Inside` of such a call: copy k of the rows has the k-th unit held.

    That layer runs by the equations; what the probe reads of the others, their own kernels show.
    """

    def __init__(self, probe: Probe, place: Place, held: Sequence[tuple[int, float]]) -> None:
        self.probe, self.place, self.held = probe, place, held
        self.count = max(1, len(held))

    def begin(self, net: Recurrent, steps: int, batch: int, lengths: Tensor | None) -> None:
        self.seen: list[Tensor] = [torch.zeros(0)] * steps
        self.records: dict[int, Record] = {}
        self.where: Tensor | None = None

    def record(self, net: Recurrent, layer: int, reverse: bool) -> Record | None:
        if layer == self.place.layer:
            return None
        return self.records.setdefault(layer, Record(Selection(), gradients=False))

    def change(self, net: Recurrent, layer: int, reverse: bool) -> Change | None:
        if layer != self.place.layer:
            return None

        def change(t: int, name: str, value: Tensor) -> Tensor:
            if name == self.place.kind:
                value = self._hold(value) if self.held else value
                self.seen[t] = self._part(layer, value)
            return value

        return change

    @property
    def predicted(self) -> Tensor:
        """What the probe makes of all layers, `[T, K·B, P]`."""
        parts = [self._part(layer, record.value(self.place.kind)) for layer, record in self.records.items()]
        return sum(parts, torch.stack(self.seen))

    def _part(self, layer: int, values: Tensor) -> Tensor:
        return self.probe.part(layer, torch.tanh(values) if self.place.kind == "c" else values)

    def _hold(self, value: Tensor) -> Tensor:
        copies = value.unflatten(0, (self.count, -1))  # [K, B, U]
        if self.where is None:
            self.where = torch.zeros(self.count, 1, copies.shape[-1], dtype=torch.bool)
            self.values = torch.zeros(self.count, 1, copies.shape[-1])
            for copy, (unit, held) in enumerate(self.held):
                self.where[copy, 0, unit], self.values[copy, 0, unit] = True, held
        return torch.where(self.where, self.values, copies).flatten(0, 1)
