"""A running average of the weights, which is what is measured and kept: noise of the last steps averages out.

Polyak & Juditsky 1992, with exponentially falling weights, and less memory in the first steps, in which an average
would be mostly of the weights as they were drawn.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Of the weights after every step, `decay` of the old average and the rest of the new weights."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self.steps = 0

    @torch.no_grad()
    def add(self) -> None:
        """Take the weights as they are now."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for name, value in self.model.state_dict().items():
            kept = self.values[name]
            if value.is_floating_point():
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While it lasts, the model has the average as its weights."""
        own = {name: value.clone() for name, value in self.model.state_dict().items()}
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
