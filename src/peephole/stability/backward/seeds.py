"""Where the gradient of a divergence enters the recurrent stack: ∂Div/∂y(t), and ∂Div of the final states."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.stability.recordings.recording import Divergence, Recording
from peephole.stability.recordings.whole_numbers import whole_numbers


@dataclass(frozen=True, eq=False)
class Seeds:
    """Gradients of the divergence, whose value is `value`: of the stack's output `[T, B, ·]`, and of its final states
    `[L·D, B, ·]`, zero where it does not depend on them.
    """

    value: float
    output: Tensor
    finals: tuple[Tensor, ...]

    @property
    def times(self) -> tuple[int, ...]:
        """The times at which the divergence depends on the output."""
        return tuple(self.output.flatten(1).any(1).nonzero()[:, 0].tolist())

    def rows(self, t: int, steps: int) -> Tensor:
        """Which rows have a divergence at time t, bool `[B]`; that of final states counts as the last step's."""
        found = self.output[t].any(-1)
        if t == steps - 1:
            for gradient in self.finals:
                found = found | gradient.any(-1).any(0)
        return found


def seeds_of(recording: Recording, divergence: Divergence) -> Seeds:
    """Differentiate `divergence(output)`, where output is what the module returned, or the first of what it returned.

    The divergence is a number, or one for each step or step and row, which are summed. `InputError` where it is not, is
    not finite, or does not depend on what the recurrent net gave.
    """
    given = recording.output
    output = given[0] if isinstance(given, tuple) else given
    if not callable(divergence):
        raise InputError(f"the divergence is a {type(divergence).__name__}; expected a function of the net's output")
    with torch.inference_mode(False), torch.enable_grad():
        value = divergence(output)
        total = value.sum() if isinstance(value, Tensor) else value
    if not isinstance(value, Tensor) or not value.is_floating_point():
        got = type(value).__name__ if not isinstance(value, Tensor) else f"a tensor of {value.dtype}"
        raise InputError(f"the divergence returned {got}; expected a tensor, one number or one for each step and row")
    if value.shape not in ((), (1,)) and value.shape[0] not in (recording.steps, recording.batch):
        raise InputError(
            f"the divergence has shape {list(value.shape)}; expected one number, or one for each step and row"
        )
    leaves = [recording.leaf, *recording.final_leaves]
    found: Sequence[Any] = [None] * len(leaves)
    if value.requires_grad:
        found = torch.autograd.grad(total, leaves, allow_unused=True, retain_graph=True)
    dtype = recording.layers[0][0].x.dtype
    filled = [
        torch.zeros_like(leaf) if gradient is None else gradient for leaf, gradient in zip(leaves, found, strict=True)
    ]
    dy, *dfinals = (gradient.detach().to(dtype) for gradient in filled)
    alive = recording.layers[-1][0].alive
    if alive is not None:
        dy = dy.masked_fill(~alive, 0.0)
    if not all(bool(torch.isfinite(gradient).all()) for gradient in (dy, *dfinals)):
        raise InputError("the divergence's gradient is not finite; look at its targets and at the net's output")
    if not bool(dy.any()) and not any(bool(gradient.any()) for gradient in dfinals):
        raise InputError(
            "the divergence does not depend on the recurrent net's output; expected a function of what the module "
            "returns (detached somewhere?)"
        )
    return Seeds(float(value.detach().sum()), dy, tuple(dfinals))


def choose_targets(seeds: Seeds, steps: int, wanted: Any) -> tuple[int, ...]:
    """Target times, ascending: those asked for, or as many, spread evenly over those that the divergence looks at.

    `InputError` for a time that the sequence lacks or at which the divergence does not depend on the output.
    """
    known = set(seeds.times)
    if any(bool(gradient.any()) for gradient in seeds.finals):
        known.add(steps - 1)
    times = sorted(known)
    asked = whole_numbers(wanted, "targets")
    if isinstance(asked, int):
        wanted = asked
        if wanted < 1:
            raise InputError(f"targets is {wanted}; expected at least 1, or a list of times")
        if wanted >= len(times):
            return tuple(times)
        places = torch.linspace(len(times) / wanted - 1, len(times) - 1, wanted).round().long().tolist()
        return tuple(times[place] for place in places)
    given, asked = asked, sorted({t + steps if -steps <= t < 0 else t for t in asked})
    if not asked or asked[0] < 0 or asked[-1] >= steps:
        raise InputError(f"targets are {given}; expected times from 0 to {steps - 1}")
    ignored = [t for t in asked if t not in known]
    if ignored:
        shown = ", ".join(map(str, ignored[:5])) + (", …" if len(ignored) > 5 else "")
        looks = f"at {times[0]} only" if len(times) == 1 else f"at {len(times)} times from {times[0]} to {times[-1]}"
        raise InputError(
            f"the divergence does not depend on the output at t = {shown}; it looks {looks}: choose among those"
        )
    return tuple(asked)
