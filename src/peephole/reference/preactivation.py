"""What the gates of every cell are made of: products with the input and the recurrent state, biases, layer norm."""

import torch
from torch import Tensor

from peephole.reference.passing import Passing, unchanged
from peephole.spec import CellSpec

LAYER_NORM_EPSILON = 1e-5  # torch.nn.LayerNorm's


def by_gate(spec: CellSpec, rows: Tensor) -> dict[str, Tensor]:
    """The stacked pre-activations `[B, G·H]` as one `[B, H]` per gate."""
    return dict(zip(spec.gates, rows.chunk(len(spec.gates), dim=-1), strict=True))


def from_input(x: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """W_ih x + b_ih, `[B, G·H]`; x `[B, I]`, or int64 `[B]` in place of one-hot vectors."""
    columns = weights["weight_ih"].T
    product = x @ columns if x.is_floating_point() else columns[x]
    return product + weights["bias_ih"] if "bias_ih" in weights else product


def from_state(h: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """W_hh h + b_hh, `[B, G·H]`."""
    product = h @ weights["weight_hh"].T
    return product + weights["bias_hh"] if "bias_hh" in weights else product


def dropped(h: Tensor, recurrent_mask: Tensor | None) -> Tensor:
    """The hidden state as the recurrent product sees it: times a mask that stays the same for all steps.

    Variational dropout, Gal & Ghahramani 2016.
    """
    return h if recurrent_mask is None else h * recurrent_mask


def normalised(spec: CellSpec, gate: str, z: Tensor, weights: dict[str, Tensor], see: Passing = unchanged) -> Tensor:
    """What enters one gate's activation: its pre-activation, with layer normalisation over its units if the cell has it
    (Ba et al. 2016, eq. 3–4).
    """
    if not spec.layer_norm:
        return see(f"z_{gate}", z)
    z = see(f"sum_{gate}", z)
    mean = z.mean(dim=-1, keepdim=True)
    variance = (z - mean).square().mean(dim=-1, keepdim=True)
    z = (z - mean) / torch.sqrt(variance + LAYER_NORM_EPSILON) * by_gate(spec, weights["weight_ln"])[gate]
    if spec.bias:
        z = z + by_gate(spec, weights["bias_ln"])[gate]
    return see(f"z_{gate}", z)
