"""The gradients of one step: how long they are, and shortened as the settings say.

Of a vocabulary of words the gradients are as large as a matrix can be here, so each pass over them counts: one for the
norms, which every step reports, and one more only where there is something to shorten.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from peephole.train.config import LoopConfig

SMALLEST = 1e-6  # added to the norm before dividing by it, as torch does


class Gradients:
    """Of these parameters, in their order."""

    def __init__(self, parameters: Iterable[nn.Parameter], config: LoopConfig) -> None:
        self.parameters = list(parameters)
        self.clip_norm, self.clip_value = config.clip_norm, config.clip_value

    def norms(self) -> Tensor:
        """The length of each parameter's gradient, `[P]`; 0 where it has none."""
        return torch.stack([_norm(parameter) for parameter in self.parameters])

    @torch.no_grad()
    def clip(self, length: float) -> bool:
        """Shorten the gradient, of this length in all, as the settings say; whether there was anything to shorten."""
        clipped = False
        if self.clip_value is not None:
            gradients = self._given()
            clipped = float(nn.utils.get_total_norm(gradients, math.inf)) > self.clip_value
            if clipped:
                nn.utils.clip_grad_value_(self.parameters, self.clip_value)
        if self.clip_norm is not None:
            clipped = clipped or length > self.clip_norm
            share = self.clip_norm / (length + SMALLEST)
            if share < 1:
                for gradient in self._given():
                    gradient.mul_(share)
        return clipped

    def _given(self) -> list[Tensor]:
        return [parameter.grad for parameter in self.parameters if parameter.grad is not None]


def _norm(parameter: nn.Parameter) -> Tensor:
    return parameter.new_zeros(()) if parameter.grad is None else parameter.grad.norm()
