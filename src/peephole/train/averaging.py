"""An average of the weights, which is what is measured and kept: noise of the last steps averages out.

Polyak & Juditsky 1992. Either a running one, with exponentially falling weights and less memory in the first steps, in
which an average would be mostly of the weights as they were drawn; or of every step alike, from one step on.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Of the weights after every step, `decay` of the old average and the rest of the new weights.

    With `decay` None each step counts the same, those before it began nothing.
    """

    def __init__(self, model: nn.Module, decay: float | None) -> None:
        self.model, self.decay = model, decay
        self.values = _copied(model)
        self.steps = 0

    @torch.no_grad()
    def add(self) -> None:
        """Take the weights as they are now."""
        self.steps += 1
        new = 1 / self.steps if self.decay is None else 1 - min(self.decay, self.steps / (self.steps + 10))
        seen: set[int] = set()
        for name, value in self.model.state_dict().items():
            kept = self.values[name]
            if id(kept) in seen:  # of tied weights, which have two names
                continue
            seen.add(id(kept))
            if value.is_floating_point():
                kept.lerp_(value, new)
            else:
                kept.copy_(value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While it lasts, the model has the average as its weights."""
        own = _copied(self.model)
        self.model.load_state_dict(self.values)
        try:
            yield
        finally:
            self.model.load_state_dict(own)

    def state_dict(self) -> dict[str, Tensor | int]:
        """What a checkpoint keeps."""
        return {**self.values, "": self.steps}

    def load_state_dict(self, state: Mapping[str, Tensor | int]) -> None:
        """Go on where `state_dict` was taken."""
        for name, value in state.items():
            if isinstance(value, Tensor):
                self.values[name].copy_(value)
            else:
                self.steps = value


def is_triggered(measured: Sequence[float], interval: int) -> bool:
    """Whether the newest of these held-out divergences is worse than the best of those before the last `interval`.

    The non-monotonic condition of Merity et al. 2018, as their code has it: what has not got better for longer than
    chance explains will not get better by steps of this size, and averaging pays from here on.
    """
    *before, newest = measured
    return len(before) > interval and newest > min(before[:-interval])


def _copied(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights by name; weights that have two names are copied once."""
    copies: dict[tuple[int, torch.Size], Tensor] = {}
    found: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        place = value.data_ptr() or id(value), value.shape
        if place not in copies:
            copies[place] = value.detach().clone()
        found[name] = copies[place]
    return found
