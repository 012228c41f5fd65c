"""The gated recurrent unit as the two courses teach it, and as torch computes it, forward and backward.

Slide "Gated Recurrent Units: Lets simplify the LSTM", to which the other course's slide "GRUs" adds the biases:

    z_t = σ(W_zh h_{t−1} + W_zx x_t + b_z)
    r_t = σ(W_rh h_{t−1} + W_rx x_t + b_r)
    h̃_t = tanh(W_nh (r_t ∘ h_{t−1}) + W_nx x_t + b_n)
    h_t = (1 − z_t) ∘ h_{t−1} + z_t ∘ h̃_t

The candidate's parameters, W on one slide and W_m on the other, have torch's letter n here. `z` is the gate, and `z_z`,
`z_r`, `z_n` what enters an activation.
"""

from types import SimpleNamespace

import torch
from jaxtyping import Float
from torch import Tensor, sigmoid, tanh

from peephole.errors import InputError


class GRUCell:
    """One copy of the cell, as it stands at one (t, l).

    `update`: "writes" as above, or "keeps", where the courses differ: h_t = z_t ∘ h_{t−1} + (1 − z_t) ∘ h̃_t.
    `reset`: "before" the product with W_nh as above, or "after" it, as torch has it:
    h̃_t = tanh(r_t ∘ (W_nh h_{t−1} + b_nh) + W_nx x_t + b_n).

    Parameters are a dict of `W_zx` `[H, I]`, `W_zh` `[H, H]` and `b_z` `[H]`, likewise for r and n, and, if the reset
    comes after the product, `b_nh` `[H]`. Gradients come under the same names and in the same shapes.
    """

    gates: tuple[str, ...] = ("r", "z", "n")
    states: tuple[str, ...] = ("h",)
    required: tuple[str, ...] = tuple(name for g in gates for name in (f"W_{g}x", f"W_{g}h", f"b_{g}"))
    optional: tuple[str, ...] = ()

    # static: computed by forward, still there for backward, retained until the next forward
    z_z: Tensor
    z_r: Tensor
    z_n: Tensor
    z: Tensor
    r: Tensor
    h_tilde: Tensor

    def __init__(self, reset: str = "before", update: str = "writes") -> None:
        if reset not in ("before", "after"):
            raise InputError(f"reset is {reset!r}; choose before or after (the product with the state's weights)")
        if update not in ("writes", "keeps"):
            raise InputError(f"update is {update!r}; choose writes (z weighs the new) or keeps (z weighs the old)")
        self.reset, self.update = reset, update
        if reset == "after":
            self.required = (*self.required, "b_nh")

    @torch.no_grad()
    def forward(
        self, h: Float[Tensor, "hidden"], x: Float[Tensor, "input"], parameters: dict[str, Tensor]
    ) -> tuple[Float[Tensor, "hidden"]]:
        """The next state h_o, from the previous one and the input."""
        p = SimpleNamespace(**parameters)

        z_z = p.W_zh @ h + p.W_zx @ x + p.b_z
        z = sigmoid(z_z)  # update gate

        z_r = p.W_rh @ h + p.W_rx @ x + p.b_r
        r = sigmoid(z_r)  # reset gate

        if self.reset == "before":
            z_n = p.W_nh @ (r * h) + p.W_nx @ x + p.b_n
        else:
            z_n = r * (p.W_nh @ h + p.b_nh) + p.W_nx @ x + p.b_n
        h_tilde = tanh(z_n)  # candidate

        old, new = (1 - z, z) if self.update == "writes" else (z, 1 - z)
        h_o = old * h + new * h_tilde

        self.z_z, self.z_r, self.z_n = z_z, z_r, z_n
        self.z, self.r, self.h_tilde = z, r, h_tilde
        return (h_o,)

    @torch.no_grad()
    def backward(
        self,
        dh_o: Float[Tensor, "hidden"],
        h: Float[Tensor, "hidden"],
        h_o: Float[Tensor, "hidden"],
        x: Float[Tensor, "input"],
        parameters: dict[str, Tensor],
    ) -> tuple[Float[Tensor, "hidden"], Float[Tensor, "input"], dict[str, Tensor]]:
        """dh, dx and the gradients of the parameters, given the gradient of the state that forward returned.

        The slides leave it out. It goes as slide "LSTM cell backward" does: forward's lines inverted, the last first.
        """
        p = SimpleNamespace(**parameters)
        d: dict[str, Tensor] = {}
        z_z, z_r, z_n = self.z_z, self.z_r, self.z_n
        z, r, h_tilde = self.z, self.r, self.h_tilde

        if self.update == "writes":  # First invert h_o = (1 − z) ∘ h + z ∘ h̃
            dh = dh_o * (1 - z)
            dh_tilde = dh_o * z
            dz = dh_o * (h_tilde - h)
        else:  # First invert h_o = z ∘ h + (1 − z) ∘ h̃
            dh = dh_o * z
            dh_tilde = dh_o * (1 - z)
            dz = dh_o * (h - h_tilde)

        # Next invert h̃ = tanh(z_n)
        dz_n = dh_tilde * (1 - tanh(z_n) ** 2)

        if self.reset == "before":  # Next invert z_n = W_nh (r ∘ h) + W_nx x + b_n
            drh = dz_n @ p.W_nh
            dr = drh * h
            dh = dh + drh * r
            d["W_nh"] = torch.outer(dz_n, r * h)
        else:  # Next invert z_n = r ∘ z_h + W_nx x + b_n, then z_h = W_nh h + b_nh
            dr = dz_n * (p.W_nh @ h + p.b_nh)
            dz_h = dz_n * r
            dh = dh + dz_h @ p.W_nh
            d["W_nh"] = torch.outer(dz_h, h)
            d["b_nh"] = dz_h
        dx = dz_n @ p.W_nx
        d["W_nx"] = torch.outer(dz_n, x)
        d["b_n"] = dz_n

        # Next invert r = sigmoid(z_r), z_r = W_rh h + W_rx x + b_r
        dz_r = dr * sigmoid(z_r) * (1 - sigmoid(z_r))
        dh = dh + dz_r @ p.W_rh
        dx = dx + dz_r @ p.W_rx
        d["W_rh"] = torch.outer(dz_r, h)
        d["W_rx"] = torch.outer(dz_r, x)
        d["b_r"] = dz_r

        # Finally invert z = sigmoid(z_z), z_z = W_zh h + W_zx x + b_z
        dz_z = dz * sigmoid(z_z) * (1 - sigmoid(z_z))
        dh = dh + dz_z @ p.W_zh
        dx = dx + dz_z @ p.W_zx
        d["W_zh"] = torch.outer(dz_z, h)
        d["W_zx"] = torch.outer(dz_z, x)
        d["b_z"] = dz_z

        return dh, dx, d
