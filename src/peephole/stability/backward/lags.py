"""The gradient of the recurrent parameters, lag by lag: all steps of one lag at once, by immediate partial derivatives.

    ∂Div/∂Θ = Σ_t Σ_k ∂Div(t)/∂s(t) ∂s(t)/∂s(k) ∂s⁺(k)/∂Θ

With ℓ = t − k and A_ℓ(k) = ∂Div(k + ℓ)/∂s(k), A_{ℓ+1}(k) is A_ℓ(k + 1) pulled one step back, and the part of lag ℓ is
Σ_k A_ℓ(k) ∂s⁺(k)/∂Θ. What a layer hands to the one below keeps its lag, whatever way it took.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.stability.backward.seeds import Seeds
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import Recording
from peephole.stability.steps import Linearised, linearise
from peephole.stability.steps.linearised import States

MOST_KEPT = 1 << 28  # numbers that a bidirectional stack may keep between its layers, 2 GiB in float64

Gradients = dict[str, Tensor]


def linearised_layers(recording: Recording) -> list[list[Linearised]]:
    """The steps of each layer and direction."""
    return [[linearise(passage) for passage in layer] for layer in recording.layers]


def entering(recording: Recording, seeds: Seeds) -> list[States]:
    """What the divergence itself sends into the states `[T, B, ·]` of each layer and direction."""
    found = [finals_entering(passage, index, seeds) for index, passage in enumerate(recording.passages)]
    directions = len(recording.layers[-1])
    for placed, side in zip(found[-directions:], seeds.output.chunk(directions, dim=-1), strict=True):
        placed[0].add_(side)
    return found


def finals_entering(passage: Passage, index: int, seeds: Seeds) -> States:
    """What final states send into layer and direction number `index`, `[T, B, ·]`.

    It enters at the last step that a row took, so that lags count steps that happened.
    """
    placed = tuple(torch.zeros_like(state) for state in passage.after)
    rows = torch.arange(passage.batch, device=passage.x.device)
    ends = torch.full_like(rows, passage.steps - 1)
    if passage.alive is not None:
        ends = passage.alive[..., 0].sum(0) - 1
    took = (ends >= 0)[:, None]  # a row without steps leaves its states as they were
    if passage.reverse:
        ends = torch.zeros_like(ends)
    for gradient, final in zip(placed, seeds.finals, strict=False):
        gradient[ends.clamp_min(0), rows] += final[index] * took
    return placed


def bptt(layers: list[list[Linearised]], sent: list[States]) -> list[Gradients]:
    """The whole gradient by name for each layer and direction: one ordinary way back through time."""
    found: list[Gradients] = [{}] * len(sent)
    given: Tensor | None = None  # what the layer above hands down, [T, B, D·H]
    for number in range(len(layers) - 1, -1, -1):
        handed: Tensor | None = None
        for direction, one in enumerate(layers[number]):
            index = number * len(layers[number]) + direction
            reached = tuple(gradient.clone() for gradient in sent[index])
            if given is not None:
                reached[0].add_(given.chunk(len(layers[number]), dim=-1)[direction])
            carried = tuple(torch.zeros_like(gradient[0]) for gradient in reached)
            for t in reversed(one.passage.order):
                for gradient, more in zip(reached, carried, strict=True):
                    gradient[t] += more
                carried = one.pull(t, tuple(gradient[t] for gradient in reached)).before
            pulled = one.pull(slice(None), reached)
            found[index] = one.parameter_gradients(slice(None), reached, pulled)
            if number > 0:
                dx = one.input_gradient(pulled)
                handed = dx if handed is None else handed + dx
        given = handed
    return found


def gradients_by_lag(
    layers: list[list[Linearised]], sent: list[States], longest: int
) -> Iterator[tuple[int, int, Gradients]]:
    """For each lag with |ℓ| ≤ `longest` and each layer and direction: ℓ, its number, and the gradients of that lag.

    For each layer and direction |ℓ| ascends. One direction needs memory for one lag; a bidirectional stack of several
    layers keeps every lag between its layers, since what goes back in one layer may return in the next, and takes time
    quadratic in T whatever `longest` is.
    """
    if all(len(layer) == 1 for layer in layers):
        return _one_direction([layer[0] for layer in layers], sent, longest)
    return _both_directions(layers, sent, longest)


def _one_direction(layers: list[Linearised], sent: list[States], longest: int) -> Iterator[tuple[int, int, Gradients]]:
    descents = [_Descent(one, own) for one, own in zip(layers, sent, strict=True)]
    for lag in range(longest + 1):
        given: Tensor | None = None
        for number in range(len(layers) - 1, -1, -1):
            gradients, given = descents[number].advance(lag, given, True, wants_input=number > 0)
            yield lag, number, gradients


def _both_directions(
    layers: list[list[Linearised]], sent: list[States], longest: int
) -> Iterator[tuple[int, int, Gradients]]:
    passage, furthest = layers[0][0].passage, layers[0][0].passage.steps - 1
    if len(layers) > 1:
        kept = passage.steps**2 * passage.batch * layers[-1][0].passage.x.shape[-1]
        if kept > MOST_KEPT:
            raise InputError(
                f"a bidirectional stack keeps T²·B·2H = {kept:,} numbers between its layers; expected at most "
                f"{MOST_KEPT:,}: give fewer rows or steps"
            )
    given: dict[int, Tensor] = {}  # by lag
    for number in range(len(layers) - 1, -1, -1):
        handed: dict[int, Tensor] = {}
        for direction, one in enumerate(layers[number]):
            index, sign = number * 2 + direction, -1 if direction else 1
            first = -furthest if given else 0
            last = furthest if number > 0 else longest
            descent, found = _Descent(one, sent[index]), list[tuple[int, Gradients]]()
            for size in range(first, last + 1):
                lag, arrived = sign * size, given.get(sign * size)
                part = None if arrived is None else arrived.chunk(2, dim=-1)[direction]
                gradients, dx = descent.advance(lag, part, abs(lag) <= longest, wants_input=number > 0)
                if abs(lag) <= longest:
                    found.append((lag, gradients))
                if dx is not None:
                    handed[lag] = handed[lag] + dx if lag in handed else dx
            for lag, gradients in sorted(found, key=lambda each: abs(each[0])):
                yield lag, index, gradients
        given = handed


class _Descent:
    """One layer and direction on its way through the lags: up from the lowest, or down in the reverse direction."""

    def __init__(self, one: Linearised, sent: States) -> None:
        self.one, self.sent = one, sent
        self._carried: States | None = None

    def advance(
        self, lag: int, given: Tensor | None, wants_gradients: bool, wants_input: bool
    ) -> tuple[Gradients, Tensor | None]:
        """The gradients of this lag and ∂Div(k + ℓ)/∂x(k) `[T − |ℓ|, B, I]`; `given` is what comes from above."""
        steps = self.one.passage.steps
        window = slice(max(0, -lag), min(steps, steps - lag))  # the k for which t = k + ℓ is in the sequence
        arrived = self._carried or tuple(torch.zeros_like(gradient[window]) for gradient in self.sent)
        if lag == 0:
            arrived = tuple(old + own for old, own in zip(arrived, self.sent, strict=True))
        if given is not None:
            arrived = (arrived[0] + given, *arrived[1:])
        pulled = self.one.pull(window, arrived)
        self._carried = tuple(self._shift(lag, before) for before in pulled.before)
        gradients = self.one.parameter_gradients(window, arrived, pulled) if wants_gradients else {}
        return gradients, self.one.input_gradient(pulled) if wants_input else None

    def _shift(self, lag: int, before: Tensor) -> Tensor:
        """From the states that steps began with to those that the steps before them left, one lag on."""
        nothing = torch.zeros_like(before[:1])
        if self.one.passage.reverse:
            return before[:-1] if lag <= 0 else torch.cat([nothing, before])
        return before[1:] if lag >= 0 else torch.cat([before, nothing])
