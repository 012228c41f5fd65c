"""The simple recurrent cell, forward and backward.

    h(t) = f(W_hh h(t−1) + W_hx x(t) + b_h)

f is tanh, ReLU, sigmoid, the identity (the linear recursion h(t) = W h(t−1) + C x(t) of the stability slides), each
component by component, or softmax, where every component of h depends on every component of z.
"""

from types import SimpleNamespace

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.reference.by_hand.activation import activate, activate_backward, check_nonlinearity


class RNNCell:
    """One copy of the cell, as it stands at one (t, l); `nonlinearity`: tanh, relu, sigmoid, identity or softmax.

    Parameters are a dict of `W_hh` `[H, H]`, `W_hx` `[H, I]` and `b_h` `[H]`. Their gradients come under the same
    names and in the same shapes. Gradients of vectors are row vectors, so that they multiply matrices from the left.
    """

    gates: tuple[str, ...] = ("h",)
    states: tuple[str, ...] = ("h",)
    required: tuple[str, ...] = ("W_hh", "W_hx", "b_h")
    optional: tuple[str, ...] = ()

    # static: computed by forward, still there for backward, retained until the next forward
    z: Tensor

    def __init__(self, nonlinearity: str = "tanh") -> None:
        check_nonlinearity(nonlinearity)
        self.nonlinearity = nonlinearity

    @torch.no_grad()
    def forward(
        self, h: Float[Tensor, "hidden"], x: Float[Tensor, "input"], parameters: dict[str, Tensor]
    ) -> tuple[Float[Tensor, "hidden"]]:
        """The next state h_o, from the previous one and the input."""
        p = SimpleNamespace(**parameters)

        z = p.W_hh @ h + p.W_hx @ x + p.b_h
        h_o = activate(self.nonlinearity, z)

        self.z = z
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
        """dh, dx and the gradients of the parameters, given the gradient of the state that forward returned."""
        p = SimpleNamespace(**parameters)
        d: dict[str, Tensor] = {}
        z = self.z

        # First invert h_o = f(z); slide "The Jacobian": ∇_z Div = ∇_h Div · ∇f(z)
        dz = activate_backward(self.nonlinearity, dh_o, z)

        # Finally invert z = W_hh h + W_hx x + b_h
        dh = dz @ p.W_hh
        dx = dz @ p.W_hx
        d["W_hh"] = torch.outer(dz, h)
        d["W_hx"] = torch.outer(dz, x)
        d["b_h"] = dz

        return dh, dx, d
