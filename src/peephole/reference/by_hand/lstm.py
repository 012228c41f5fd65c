"""The lectured LSTM cell with its peepholes, forward and backward, in the order and with the letters of the slides.

`f`, `i` and `o` are the forget, input and output gate, `C_i` the detected pattern (torch's g), `C` and `h` the previous
memory and state, `C_o` and `h_o` the next ones, `z_*` what enters an activation. `W_oc` leads from the memory c to the
output gate o, and so on. Gates f and i see the previous memory, o sees the next one.

`∘` is component-wise, `@` the matrix product. Gradients of vectors are row vectors, which multiply matrices from the
left; transposing a vector, as the slides do to match rows with columns, changes nothing in torch and is left out.
"""

from types import SimpleNamespace

import torch
from jaxtyping import Float
from torch import Tensor, sigmoid, tanh

PEEPHOLES = ("W_ic", "W_fc", "W_cc", "W_oc")


class LSTMCell:
    """One copy of the cell, as it stands at one (t, l).

    Parameters are a dict of `W_fx` `[H, I]`, `W_fh` `[H, H]` and `b_f` `[H]`, likewise for i, c and o, and of the
    peepholes `W_fc`, `W_ic`, `W_cc`, `W_oc`: full `[H, H]` as lectured, or diagonal `[H]` as in the literature. One
    that is not in the dict is not in the cell; `W_cc`, into the tanh, "is not standard". Gradients come under the same
    names and in the same shapes; the slides' `dW = C dz` is the transpose of the `outer(dz, C)` here.
    """

    gates: tuple[str, ...] = ("i", "f", "c", "o")
    states: tuple[str, ...] = ("C", "h")
    required: tuple[str, ...] = tuple(name for g in gates for name in (f"W_{g}x", f"W_{g}h", f"b_{g}"))
    optional: tuple[str, ...] = PEEPHOLES

    # static: computed by forward, still there for backward, retained until the next forward
    z_f: Tensor
    z_i: Tensor
    z_c: Tensor
    z_o: Tensor
    f: Tensor
    i: Tensor
    o: Tensor
    C_i: Tensor

    @torch.no_grad()
    def forward(
        self,
        C: Float[Tensor, "hidden"],
        h: Float[Tensor, "hidden"],
        x: Float[Tensor, "input"],
        parameters: dict[str, Tensor],
    ) -> tuple[Float[Tensor, "hidden"], Float[Tensor, "hidden"]]:
        """The next memory and state C_o, h_o, from the previous ones and the input."""
        p = _with_full_peepholes(parameters)

        # Slide "LSTM cell forward"
        z_f = p.W_fc @ C + p.W_fh @ h + p.W_fx @ x + p.b_f
        f = sigmoid(z_f)  # forget gate

        z_i = p.W_ic @ C + p.W_ih @ h + p.W_ix @ x + p.b_i
        i = sigmoid(z_i)  # input gate

        z_c = p.W_cc @ C + p.W_ch @ h + p.W_cx @ x + p.b_c
        C_i = tanh(z_c)  # detecting the input pattern

        C_o = f * C + i * C_i

        z_o = p.W_oc @ C_o + p.W_oh @ h + p.W_ox @ x + p.b_o
        o = sigmoid(z_o)  # output gate

        h_o = o * tanh(C_o)

        self.z_f, self.z_i, self.z_c, self.z_o = z_f, z_i, z_c, z_o
        self.f, self.i, self.o, self.C_i = f, i, o, C_i
        return C_o, h_o

    @torch.no_grad()
    def backward(
        self,
        dC_o: Float[Tensor, "hidden"],
        dh_o: Float[Tensor, "hidden"],
        C: Float[Tensor, "hidden"],
        h: Float[Tensor, "hidden"],
        C_o: Float[Tensor, "hidden"],
        h_o: Float[Tensor, "hidden"],
        x: Float[Tensor, "input"],
        parameters: dict[str, Tensor],
    ) -> tuple[Float[Tensor, "hidden"], Float[Tensor, "hidden"], Float[Tensor, "input"], dict[str, Tensor]]:
        """dC, dh, dx and the gradients of the parameters, given those of the C_o and h_o that forward returned.

        `dC_o` is what reaches C_o from later steps alone; what reaches it through h_o is added here.
        """
        p = _with_full_peepholes(parameters)
        d: dict[str, Tensor] = {}
        z_f, z_i, z_c, z_o = self.z_f, self.z_i, self.z_c, self.z_o
        f, i, o, C_i = self.f, self.i, self.o, self.C_i

        # Slide "LSTM cell backward". First invert h_o = o ∘ tanh(C_o); the slide's comment prints tanh(C), its code
        # uses C_o. Its += is written out: in torch it would change the caller's tensor.
        do = dh_o * tanh(C_o)
        dtanh = dh_o * o
        dC_o = dC_o + dtanh * (1 - tanh(C_o) ** 2)

        # Next invert o = sigmoid(z_o)
        dz_o = do * sigmoid(z_o) * (1 - sigmoid(z_o))

        # Next invert z_o = W_oc C_o + W_oh h + W_ox x + b_o. "This is a regular matrix multiply", where the rule for
        # ∇_{C_t} Div seems to have a component-wise one. With it dC_o is complete, before f, i and C_i are reached.
        dC_o = dC_o + dz_o @ p.W_oc
        dh = dz_o @ p.W_oh
        dx = dz_o @ p.W_ox
        d["W_oc"] = torch.outer(dz_o, C_o)
        d["W_oh"] = torch.outer(dz_o, h)
        d["W_ox"] = torch.outer(dz_o, x)
        d["b_o"] = dz_o

        # Next invert C_o = f ∘ C + i ∘ C_i
        dC = dC_o * f
        dC_i = dC_o * i
        di = dC_o * C_i
        df = dC_o * C

        # Slide "LSTM cell backward (continued)". Next invert C_i = tanh(z_c)
        dz_c = dC_i * (1 - tanh(z_c) ** 2)

        # Next invert z_c = W_cc C + W_ch h + W_cx x + b_c. The first line is the "…" that slide "Backpropagation rules:
        # Backward" elides in ∇_{C_t} Div. The second is i_{t+1} ∘ tanh′(·) W_hc in ∇_{h_t} Div; the slide prints
        # o_{t+1} for i_{t+1}, and the notes W_hi for W_hc besides.
        dC = dC + dz_c @ p.W_cc
        dh = dh + dz_c @ p.W_ch
        dx = dx + dz_c @ p.W_cx
        d["W_cc"] = torch.outer(dz_c, C)
        d["W_ch"] = torch.outer(dz_c, h)
        d["W_cx"] = torch.outer(dz_c, x)
        d["b_c"] = dz_c

        # Next invert i = sigmoid(z_i)
        dz_i = di * sigmoid(z_i) * (1 - sigmoid(z_i))

        # Next invert z_i = W_ic C + W_ih h + W_ix x + b_i. No tanh belongs into the first line; the notes print one.
        dC = dC + dz_i @ p.W_ic
        dh = dh + dz_i @ p.W_ih
        dx = dx + dz_i @ p.W_ix
        d["W_ic"] = torch.outer(dz_i, C)
        d["W_ih"] = torch.outer(dz_i, h)
        d["W_ix"] = torch.outer(dz_i, x)
        d["b_i"] = dz_i

        # Slide "LSTM cell backward (continued)", the second. Next invert f = sigmoid(z_f)
        dz_f = df * sigmoid(z_f) * (1 - sigmoid(z_f))

        # Finally invert z_f = W_fc C + W_fh h + W_fx x + b_f
        dC = dC + dz_f @ p.W_fc
        dh = dh + dz_f @ p.W_fh
        dx = dx + dz_f @ p.W_fx
        d["W_fc"] = torch.outer(dz_f, C)
        d["W_fh"] = torch.outer(dz_f, h)
        d["W_fx"] = torch.outer(dz_f, x)
        d["b_f"] = dz_f

        return dC, dh, dx, _as_given(d, parameters)


def _with_full_peepholes(parameters: dict[str, Tensor]) -> SimpleNamespace:
    """The parameters as the slides have them: absent peepholes are zeros, diagonal ones written out."""
    bias = parameters["b_o"]
    absent = bias.new_zeros(len(bias), len(bias))
    peepholes = {name: parameters.get(name, absent) for name in PEEPHOLES}
    full = {name: torch.diag(W) if W.dim() == 1 else W for name, W in peepholes.items()}
    return SimpleNamespace(**{**parameters, **full})


def _as_given(d: dict[str, Tensor], parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradients of what is there: none of an absent peephole, and of a diagonal one those on the diagonal."""
    return {name: torch.diag(d[name]) if W.dim() < d[name].dim() else d[name] for name, W in parameters.items()}
