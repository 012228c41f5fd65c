"""Gradients of several target times pulled back through a recorded stack, all of them in one product a step."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from peephole.stability.backward.seeds import Seeds
from peephole.stability.recordings.recording import Recording
from peephole.stability.steps import Linearised, linearise

ROWS_TOGETHER = 1024  # gradients pulled back at once, so that they stay in the caches
NUMBERS_TOGETHER = 1 << 27  # kept for the layer below

# Gradients are pulled back with the largest seed near 1. What is smaller than this counts as nothing: on its way to
# zero it would pass through subnormal numbers, with which processors take ten times as long.
NEGLIGIBLE = {torch.float32: 1e-25, torch.float64: 1e-280}
SWEPT_EVERY = 4

Found = tuple[str, bool, Tensor, Mapping[str, Tensor]]


@torch.no_grad()
def pull_through(recording: Recording, seeds: Seeds, targets: Sequence[int]) -> list[Found]:
    """For each layer and direction its name, whether it is reverse, where each target's gradient enters, and the norms
    by state, `[N, T, B]`.
    """
    layers = [[linearise(passage) for passage in layer] for layer in recording.layers]
    seeds, scale = _scaled(seeds)
    together = max(1, ROWS_TOGETHER // recording.batch)
    if len(layers) > 1:
        together = max(1, min(together, NUMBERS_TOGETHER // seeds.output.numel()))
    shape = len(targets), recording.steps, recording.batch
    norms: list[dict[str, Tensor]] = []
    entries: list[Tensor] = []
    for index, one in enumerate(one for layer in layers for one in layer):
        norms.append({state: seeds.output.new_zeros(shape) for state in shown_states(one)})
        entries.append(torch.stack([_entry(one, seeds, index, t) for t in targets]))
    for start in range(0, len(targets), together):
        part = slice(start, start + together)
        above: Tensor | None = None  # what the layer above hands down, [T, N, B, ·]
        for number in range(len(layers) - 1, -1, -1):
            below: Tensor | None = None
            for direction, one in enumerate(layers[number]):
                index = number * len(layers[number]) + direction
                found = {state: norm[part] for state, norm in norms[index].items()}
                own = _side(seeds.output if above is None else above, direction, len(layers[number]))
                journey = _Journey(one, list(targets[part]), seeds, index, own, handed_down=above is not None)
                given = journey.run(found, wants_input=number > 0)
                below = given if below is None or given is None else below.add_(given)
            above = below
    ones = [one for layer in layers for one in layer]
    return [
        (
            one.passage.name,
            one.passage.reverse,
            entry,
            MappingProxyType({state: each.mul_(scale) for state, each in norm.items()}),
        )
        for one, entry, norm in zip(ones, entries, norms, strict=True)
    ]


def _scaled(seeds: Seeds) -> tuple[Seeds, float]:
    """Seeds over a power of two, near their largest, and that power."""
    largest = max(float(gradient.abs().max()) for gradient in (seeds.output, *seeds.finals))
    scale = 2.0 ** math.floor(math.log2(largest))
    return Seeds(seeds.value, seeds.output / scale, tuple(gradient / scale for gradient in seeds.finals)), scale


def shown_states(one: Linearised) -> tuple[str, ...]:
    """h, and c of an LSTM; a user's cell shows its first state."""
    states = one.spec.states
    return tuple(state for state in ("h", "c") if state in states) if "h" in states else states[:1]


def _side(gradient: Tensor, direction: int, directions: int) -> Tensor:
    """The part of one direction."""
    return gradient.chunk(directions, dim=-1)[direction]


def _entry(one: Linearised, seeds: Seeds, index: int, t: int) -> Tensor:
    """Where the gradient of a target enters each row, `[B]`."""
    passage = one.passage
    entry = torch.full((passage.batch,), t, device=passage.x.device)
    if t == passage.steps - 1:
        ends = torch.full_like(entry, 0 if passage.reverse else t)
        if passage.alive is not None and not passage.reverse:
            ends = passage.alive[..., 0].sum(0).sub(1).clamp_min(0)
        for gradient in seeds.finals:
            entry = torch.where(gradient[index].any(-1), ends, entry)
    return entry


class _Journey:
    """The way back through one layer and direction, for some targets."""

    def __init__(
        self, one: Linearised, targets: list[int], seeds: Seeds, index: int, given: Tensor, handed_down: bool
    ) -> None:
        """`given` is ∂Div/∂y `[T, B, ·]` of the top layer, or, `handed_down`, `[T, N, B, ·]` of those below."""
        self.one, self.targets, self.given, self.handed_down = one, targets, given, handed_down
        self.back = list(reversed(one.passage.order))
        place = {t: number for number, t in enumerate(self.back)}
        begins = [place[t] for t in targets]
        if handed_down and bool(given[self.back[0]].any()):  # both directions reach every step of the layers below
            begins = [0] * len(targets)
        self.finals = [gradient[index] for gradient in seeds.finals]
        self.last = one.passage.steps - 1
        if self.last in targets and any(bool(gradient.any()) for gradient in self.finals):
            begins[targets.index(self.last)] = 0
        self.order = sorted(range(len(targets)), key=lambda number: begins[number])
        self.begins = [begins[number] for number in self.order]

    def run(self, norms: dict[str, Tensor], wants_input: bool) -> Tensor | None:
        """Fill `norms` `[N, T, B]` by state; returns ∂Div/∂x `[T, N, B, I]` where the layer below wants it."""
        passage, order = self.one.passage, torch.tensor(self.order, device=self.given.device)
        shape = len(order), passage.batch
        carried = tuple(self.given.new_zeros(*shape, size) for size in passage.sizes)
        handed = self.given.new_zeros(passage.steps, *shape, passage.x.shape[-1]) if wants_input else None
        first = active = 0  # targets from `first` to `active` are on their way
        for number, t in enumerate(self.back):
            while active < len(order) and self.begins[active] <= number:
                active += 1
            if not self.handed_down and number % SWEPT_EVERY == 0:
                first = self._arrived(carried, first, active, number)
            if first == active:
                continue
            gradients = tuple(gradient[first:active] for gradient in carried)
            self._enter(t, number, first, gradients)
            pulled = self.one.pull(t, gradients)
            for norm, total in zip(norms.values(), pulled.total, strict=False):
                norm[order[first:active], t] = torch.linalg.vector_norm(total, dim=-1)
            if handed is not None:
                handed[t, order[first:active]] = self.one.input_gradient(pulled)
            for old, new in zip(carried, pulled.before, strict=True):
                if number % SWEPT_EVERY == 0:
                    torch.nn.functional.hardshrink(new, NEGLIGIBLE[new.dtype], out=old[first:active])
                else:
                    old[first:active] = new
        return handed

    def _arrived(self, carried: tuple[Tensor, ...], first: int, active: int, number: int) -> int:
        """The first target on its way of which something is left."""
        while first < active and self.begins[first] < number and not any(bool(each[first].any()) for each in carried):
            first += 1
        return first

    def _enter(self, t: int, number: int, first: int, gradients: tuple[Tensor, ...]) -> None:
        """Add what comes from outside at time t to the gradients of the targets from `first` on."""
        targets = self.order[first : first + len(gradients[0])]
        if self.handed_down:
            gradients[0].add_(self.given[t, targets])
        for place, target in enumerate(targets):
            if not self.handed_down and self.targets[target] == t:
                gradients[0][place].add_(self.given[t])
            if number == 0 and self.targets[target] == self.last:
                for gradient, final in zip(gradients, self.finals, strict=False):
                    gradient[place].add_(final)
