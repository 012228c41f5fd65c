"""The simple recurrent net (Elman 1990), with several taps and with the identity mapping."""

import torch
from torch import Tensor

from peephole.reference.passing import Passing, unchanged
from peephole.reference.preactivation import dropped, from_input, from_state, normalised
from peephole.spec import CellSpec

ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda z: z,
    "softmax": lambda z: torch.softmax(z, dim=-1),
}


def step(
    spec: CellSpec,
    x: Tensor,
    states: tuple[Tensor, ...],
    weights: dict[str, Tensor],
    recurrent_mask: Tensor | None = None,
    see: Passing = unchanged,
) -> tuple[Tensor, ...]:
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh); x `[B, I]`, states `[B, H]`.

    With `taps=k` W_hh weighs the last k hidden states, side by side. With a residual h_{t-1} is added to f(…), and
    `residual="input"` has no recurrent product.
    """
    h = states[0]
    z = from_input(x, weights)
    if spec.residual != "input":
        z = z + from_state(torch.cat([dropped(past, recurrent_mask) for past in states], dim=-1), weights)
    new = ACTIVATIONS[spec.nonlinearity](normalised(spec, "h", z, weights, see))
    if spec.residual != "none":
        new = h + new
    return (see("h", new), *states[:-1])
