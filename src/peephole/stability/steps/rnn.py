"""The simple recurrent net's step as a linear map: J = diag(f′(z)) W_hh, and a full matrix for softmax."""

import torch
from torch import Tensor

from peephole.reference.preactivation import from_input, from_state
from peephole.reference.rnn import ACTIVATIONS
from peephole.stability.recordings.passage import Passage
from peephole.stability.steps.layer_norm import normalisation, scale_gradients
from peephole.stability.steps.linearised import At, Linearised, Pulled, States


class RNNSteps(Linearised):
    """h_t = f(z_t), z_t = W_ih x_t + W_hh (h_{t−1}, …, h_{t−k}) + b, with h_{t−1} added where there is a residual.

    ∂h_t/∂h_{t−1} = f′ ∘ W_hh, where f′ is diag(f′(z)) or, for softmax, diag(h) − h hᵀ; plus I with a residual. Taps
    move one place on.
    """

    def __init__(self, passage: Passage) -> None:
        super().__init__(passage)
        weights = dict(passage.weights)
        z = from_input(passage.x, weights)
        self._recurs = "weight_hh" in weights
        if self._recurs:
            z = z + from_state(torch.cat(passage.before, dim=-1), weights)
        self.norms = {"h": normalisation(self.spec, "h", z, weights)}
        normal = self.norms["h"].value
        self._value = ACTIVATIONS[self.spec.nonlinearity](normal)
        self.slope = {  # f′(z); for softmax the diagonal of its first term
            "tanh": lambda: 1 - self._value.square(),
            "sigmoid": lambda: self._value * (1 - self._value),
            "relu": lambda: (normal > 0).to(normal.dtype),
            "identity": lambda: torch.ones_like(normal),
            "softmax": lambda: self._value,
        }[self.spec.nonlinearity]()

    def _activation(self, at: At, v: Tensor) -> Tensor:
        """f′ v; the softmax's matrix is symmetric, so that both ways are one."""
        scaled = self.slope[at] * v
        if self.spec.nonlinearity == "softmax":
            scaled = scaled - self._value[at] * scaled.sum(-1, keepdim=True)
        return scaled

    def pull_cell(self, at: At, gradients: States) -> Pulled:
        """Gradients of h_{t−1}, h_{t−2}, …"""
        dh, *older = gradients
        dnormal = self._activation(at, dh)
        dz = self.norms["h"].pull(at, dnormal)
        before = list((dz @ self.weights["weight_hh"]).split(dh.shape[-1], dim=-1)) if self._recurs else []
        before = before or [torch.zeros_like(dh)]
        if self.spec.residual != "none":
            before[0] = before[0] + dh
        for place, gradient in enumerate(older):  # tap k of this step is tap k − 1 of the step before
            before[place] = before[place] + gradient
        return Pulled(tuple(before), (dh,), dz, dz, {"dnormal": dnormal})

    def push_cell(self, at: At, tangents: States) -> States:
        """Tangents of h_t, h_{t−1}, …"""
        first = tangents[0]
        new = torch.zeros_like(first)
        if self._recurs:
            tz = torch.cat(tangents, dim=-1) @ self.weights["weight_hh"].t()
            new = self._activation(at, self.norms["h"].push(at, tz))
        if self.spec.residual != "none":
            new = new + first
        return (new, *tangents[:-1])

    def parameter_gradients(self, at: slice, gradients: States, pulled: Pulled) -> dict[str, Tensor]:
        """Of W_ih, W_hh, the biases and the normalisation."""
        seen = torch.cat([state[at] for state in self.passage.before], dim=-1)
        found = self._common_gradients(at, pulled, seen)
        return found | scale_gradients(self.spec, self.norms, at, pulled.more["dnormal"])
