"""The simple recurrent net (Elman 1990)."""

import torch
from torch import Tensor

from peephole.spec import CellSpec


def step(spec: CellSpec, x: Tensor, states: tuple[Tensor, ...], weights: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) with f = tanh or ReLU. x `[B, I]`, h `[B, H]`."""
    (h,) = states
    z = x @ weights["weight_ih"].T + h @ weights["weight_hh"].T
    if spec.bias:
        z = z + weights["bias_ih"] + weights["bias_hh"]
    return (torch.tanh(z) if spec.nonlinearity == "tanh" else torch.relu(z),)
