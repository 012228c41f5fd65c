"""What the prediction of a property loses without its unit, beside what it loses without others."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from peephole.data.lanes import Window
from peephole.inside.effect_running import evaluating
from peephole.tasks.text.model import TextModel
from peephole.units.ablating import Ablated, Place, ablated
from peephole.units.found import Ablation, Unit
from peephole.units.probe import explained, fit_probe
from peephole.units.reading import Reading

RANDOM = 100  # units of the same layer, state or gate, to compare with
READ, WARM, APART = 1024, 200, 50  # characters read without a unit, in all rows; those before, at least; between starts
OPEN = 1e-4  # tanh(c) is held no nearer to ±1, where c would be infinite


def ablations(
    model: TextModel,
    reading: Reading,
    window: Window,
    properties: Tensor,
    units: Sequence[Unit],
    random: int = RANDOM,
) -> list[Unit]:
    """The units, those that are `sure` each with its `ablation`; `properties` `[T, B, P]` are theirs, in their order.

    A ridge probe from that state or gate of all layers to the properties is fitted on the rows that chose the units.
    The net then reads a part of the other rows with the unit held at the mean that it had (an LSTM's c where tanh(c)
    has its mean), and the probe's R² is compared with that of the net as it is; the same without each of `random`
    units of the layer. What is lost is what the probe read from the unit, and what other units no longer know.
    """
    with evaluating(model.model), torch.no_grad():
        sure = torch.tensor([unit.sure for unit in units])
        if not bool(sure.any()):
            return list(units)
        tested = _Tested(model, reading, window, properties, sure, random)
        return [tested.unit(number, unit) if unit.sure else unit for number, unit in enumerate(units)]


class _Tested:
    """The part of the held-out rows that is read, and what is known of it: the net as it is, and without others."""

    def __init__(
        self, model: TextModel, reading: Reading, window: Window, properties: Tensor, sure: Tensor, random: int
    ) -> None:
        self.model, self.reading, self.properties, self.random = model, reading, properties, random
        self.half = reading.rows // 2
        rows = slice(self.half, reading.rows)
        length = min(reading.steps, max(1, READ // (reading.rows - self.half)))
        start = _start(properties[:, rows][..., sure], length)
        self.steps, self.rows = slice(start, start + length), rows
        self.window = _cut(window, self.steps, rows)
        self.states = model.model.initial_states(reading.rows - self.half)
        if start:
            before = _cut(window, slice(0, start), rows)
            self.states = model.model(before.inputs, self.states, before.resets)[1]
        self.kinds: dict[str, _Kind] = {}
        self.others: dict[Place, tuple[Tensor, Tensor]] = {}

    def unit(self, number: int, unit: Unit) -> Unit:
        """The unit with its ablation; as it is where nothing predicts the property, which then cannot be lost."""
        place = Place(unit.layer, unit.kind)
        kind = self._kind(place)
        if not float(kind.explained[number]) > 0.0:  # NaN where the property does not change
            return unit
        without = self._without(place, [unit.unit])
        rise = (without.nats - kind.clean.nats)[0] / math.log(2)
        holds = kind.wanted[..., number] > 0
        return replace(
            unit,
            ablation=Ablation(
                float(kind.explained[number]),
                float(kind.losses(without)[0, number]),
                tuple(sorted(self._losses_of_others(place, unit.unit)[:, number].tolist())),
                float(rise[holds].mean()),
                float(rise[~holds].mean()),
                holds.numel(),
            ),
        )

    def _kind(self, place: Place) -> "_Kind":
        if place.kind not in self.kinds:
            self.kinds[place.kind] = _Kind(self, place)
        return self.kinds[place.kind]

    def _losses_of_others(self, place: Place, unit: int) -> Tensor:
        """Losses of R² `[K, P]` without random units other than this."""
        if place not in self.others:
            size = self.reading.layers[place.layer].values[place.kind].shape[-1]
            drawn = torch.randperm(size, generator=torch.Generator().manual_seed(0))[: self.random]
            self.others[place] = drawn, self._kind(place).losses(self._without(place, drawn.tolist()))
        drawn, losses = self.others[place]
        return losses[drawn != unit]

    def _without(self, place: Place, units: Sequence[int]) -> Ablated:
        means = self.reading.layers[place.layer].values[place.kind][:, : self.half].mean((0, 1))
        if place.kind == "c":
            means = torch.atanh(means.clamp(-1 + OPEN, 1 - OPEN))
        held = [(unit, float(means[unit])) for unit in units]
        return ablated(self.model, self.window, self.states, self._kind(place).probe, place, held)


class _Kind:
    """A state or gate of all layers: the probe from it, and what that sees in the net as it is."""

    def __init__(self, tested: _Tested, place: Place) -> None:
        steps = tested.reading.counted
        layers = [layer.values[place.kind][steps, : tested.half] for layer in tested.reading.layers]
        self.probe = fit_probe(layers, tested.properties[steps, : tested.half])
        self.wanted = self.probe.standardised(tested.properties[tested.steps, tested.rows])
        self.clean = ablated(tested.model, tested.window, tested.states, self.probe, place, [])
        self.explained = explained(self.clean.predicted[0], self.wanted)

    def losses(self, found: Ablated) -> Tensor:
        """By how much R² is less with each unit ablated, `[K, P]`."""
        return torch.stack([self.explained - explained(each, self.wanted) for each in found.predicted])


def _start(properties: Tensor, length: int) -> int:
    """The start of the stretch in which most properties change, a tenth as much as over all, and then change most."""
    whole = properties.var((0, 1)).clamp_min(1e-12)
    starts = range(min(WARM, len(properties) - length), len(properties) - length + 1, APART)
    shares = [properties[start : start + length].var((0, 1)) / whole for start in starts]
    worth = [(int((each >= 0.1).sum()), float(each.clamp_max(0.5).sum())) for each in shares]
    return max(zip(worth, starts, strict=True))[1]


def _cut(window: Window, steps: slice, rows: slice) -> Window:
    resets = None if window.resets is None else window.resets[steps, rows]
    return replace(window, inputs=window.inputs[steps, rows], targets=window.targets[steps, rows], resets=resets)
