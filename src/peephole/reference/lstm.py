"""Long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000), with Sak et al. 2014's projection."""

import torch
from torch import Tensor

from peephole.spec import CellSpec


def step(spec: CellSpec, x: Tensor, states: tuple[Tensor, ...], weights: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """One step of the constant error carousel and its gates. x `[B, I]`, h `[B, H]` or `[B, P]`, c `[B, H]`."""
    h, c = states
    z = x @ weights["weight_ih"].T + h @ weights["weight_hh"].T
    if spec.bias:
        z = z + weights["bias_ih"] + weights["bias_hh"]
    z_i, z_f, z_g, z_o = z.chunk(4, dim=-1)
    input_gate = torch.sigmoid(z_i)
    forget_gate = torch.sigmoid(z_f)
    candidate = torch.tanh(z_g)
    output_gate = torch.sigmoid(z_o)
    c = forget_gate * c + input_gate * candidate
    h = output_gate * torch.tanh(c)
    return (h @ weights["weight_hr"].T if spec.projected else h), c
