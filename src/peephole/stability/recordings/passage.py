"""One layer and direction along a batch: what each step began with and what it left, by the equations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from peephole.reference.sequence import STEPS
from peephole.spec import CellSpec


@dataclass(frozen=True, eq=False)
class Passage:
    """A layer's steps. `before` and `after` hold each state of `spec.states` as `[T, B, ·]`.

    `alive` `[T, B, 1]` is false past a row's end, where states are frozen; `cut` `[T, B, 1]` is true where a step began
    anew, so that nothing of the step before reaches it; `zoneout` is what a step keeps of each state.
    """

    spec: CellSpec
    layer: int
    reverse: bool
    weights: Mapping[str, Tensor]
    x: Tensor  # [T, B, I]
    before: tuple[Tensor, ...]
    after: tuple[Tensor, ...]
    alive: Tensor | None = None
    cut: Tensor | None = None
    zoneout: tuple[float, ...] = ()

    @property
    def steps(self) -> int:
        """T."""
        return self.x.shape[0]

    @property
    def batch(self) -> int:
        """B."""
        return self.x.shape[1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each state."""
        return tuple(state.shape[-1] for state in self.before)

    @property
    def order(self) -> Sequence[int]:
        """The times in the order in which this direction takes them."""
        return range(self.steps - 1, -1, -1) if self.reverse else range(self.steps)

    @property
    def output(self) -> Tensor:
        """y `[T, B, ·]`: the first state, zero past a row's end."""
        return self.after[0] if self.alive is None else self.after[0].masked_fill(~self.alive, 0.0)

    @property
    def name(self) -> str:
        """How people call it: `layer 0`, `layer 1 reverse`."""
        return f"layer {self.layer}{' reverse' if self.reverse else ''}"


@torch.no_grad()
def travel(
    spec: CellSpec,
    layer: int,
    reverse: bool,
    weights: Mapping[str, Tensor],
    x: Tensor,
    states: Sequence[Tensor],
    fresh: Sequence[Tensor] = (),
    alive: Tensor | None = None,
    resets: Tensor | None = None,
    zoneout: tuple[float, ...] = (),
) -> Passage:
    """Run a layer over `x` `[T, B, I]` from `states` `[B, ·]`, and keep everything.

    `resets` `[T, B, 1]` says where a new sequence begins; it begins with `fresh` `[·]`, else with zeros.
    """
    steps = x.shape[0]
    cut = resets
    if cut is not None:
        cut = cut if alive is None else cut & alive
        if reverse:  # the border between t and t + 1 is crossed on the way to step t
            cut = torch.cat([cut[1:], torch.zeros_like(cut[:1])])
        if not bool(cut.any()):
            cut = None
    before = [state.new_empty(steps, *state.shape) for state in states]
    after = [torch.empty_like(state) for state in before]
    step, named, current = STEPS[spec.family], dict(weights), tuple(states)
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        if cut is not None:
            begun = fresh or [state.new_zeros(state.shape[-1]) for state in current]
            current = tuple(torch.where(cut[t], start, state) for start, state in zip(begun, current, strict=True))
        following = step(spec, x[t], current, named, None)
        if any(zoneout):
            following = tuple(
                kept * old + (1 - kept) * new for kept, old, new in zip(zoneout, current, following, strict=True)
            )
        if alive is not None:
            following = tuple(torch.where(alive[t], new, old) for new, old in zip(following, current, strict=True))
        for kept, state in zip((*before, *after), (*current, *following), strict=True):
            kept[t] = state
        current = following
    return Passage(spec, layer, reverse, weights, x, tuple(before), tuple(after), alive, cut, zoneout)
