"""Gated recurrent unit (Cho et al. 2014), reset after the product and update that keeps, as in torch and cuDNN."""

import torch
from torch import Tensor

from peephole.spec import CellSpec


def step(spec: CellSpec, x: Tensor, states: tuple[Tensor, ...], weights: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """One step: z weighs the old state, 1 - z the candidate. x `[B, I]`, h `[B, H]`."""
    (h,) = states
    from_input = x @ weights["weight_ih"].T
    from_state = h @ weights["weight_hh"].T
    if spec.bias:
        from_input = from_input + weights["bias_ih"]
        from_state = from_state + weights["bias_hh"]
    x_r, x_z, x_n = from_input.chunk(3, dim=-1)
    h_r, h_z, h_n = from_state.chunk(3, dim=-1)
    reset_gate = torch.sigmoid(x_r + h_r)
    update_gate = torch.sigmoid(x_z + h_z)
    candidate = torch.tanh(x_n + reset_gate * h_n)
    return ((1 - update_gate) * candidate + update_gate * h,)
