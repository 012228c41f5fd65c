"""From the library's stacked parameters of one layer, which have torch's names, to the lecture's letters, and back.

    weight_ih [G·H, I]   W_ix  W_fx  W_cx  W_ox        one below the other; an LSTM's gates, in torch's order i f g o
    weight_hh [G·H, H]   W_ih  W_fh  W_ch  W_oh        (torch's g is the lecture's c)
    bias_ih   [G·H]      b_i   b_f   b_c   b_o         b = bias_ih + bias_hh
    weight_ch [3·H, H]   W_ic  W_fc        W_oc        [4·H, H] with W_cc; [3·H], [4·H] when diagonal

A GRU has r z n. If its reset comes after the product, the two biases of n stay apart: bias_ih is b_n, bias_hh is b_nh.
"""

import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.reference.by_hand.gru import GRUCell
from peephole.reference.by_hand.network import Cell


@torch.no_grad()
def parameters_from_stacked(cell: Cell, stacked: dict[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of one layer under the lecture's names; a layer without biases has biases of zero there.

    The rows of `weight_ch` say whether the cell has the peephole into the candidate, if the cell has peepholes at all.
    """
    blocks = len(cell.gates)
    nothing = stacked["weight_ih"].new_zeros(len(stacked["weight_ih"]))
    known = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_ch")
    unknown = [name for name in stacked if name not in known]
    missing = [name for name in known[:2] if name not in stacked]
    if unknown or missing or len(stacked["weight_ih"]) != blocks * stacked["weight_hh"].shape[1]:
        raise InputError(
            f"got {', '.join(stacked)}; expected weight_ih and weight_hh with rows for {', '.join(cell.gates)}, and "
            "perhaps bias_ih, bias_hh and weight_ch: the lecture's cells have nothing else"
        )
    parameters: dict[str, Tensor] = {}
    rows = zip(
        cell.gates,
        stacked["weight_ih"].chunk(blocks),
        stacked["weight_hh"].chunk(blocks),
        stacked.get("bias_ih", nothing).chunk(blocks),
        stacked.get("bias_hh", nothing).chunk(blocks),
        strict=True,
    )
    for gate, weight_ih, weight_hh, bias_ih, bias_hh in rows:
        parameters[f"W_{gate}x"] = weight_ih
        parameters[f"W_{gate}h"] = weight_hh
        if _inside_reset(cell, gate):
            parameters[f"b_{gate}"] = bias_ih
            parameters[f"b_{gate}h"] = bias_hh
        else:
            parameters[f"b_{gate}"] = bias_ih + bias_hh
    if "weight_ch" in stacked:
        H = stacked["weight_hh"].shape[1]
        peepholes = stacked["weight_ch"].split(H)
        gates = cell.gates if len(peepholes) == blocks else [gate for gate in cell.gates if gate != "c"]
        parameters |= {f"W_{gate}c": W for gate, W in zip(gates, peepholes, strict=True)}
    return parameters


@torch.no_grad()
def gradients_to_stacked(cell: Cell, d: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradients of one layer under torch's names; both biases get the gradient of their sum.

    A layer without biases leaves `bias_ih` and `bias_hh` aside.
    """
    stacked = {
        "weight_ih": torch.cat([d[f"W_{gate}x"] for gate in cell.gates]),
        "weight_hh": torch.cat([d[f"W_{gate}h"] for gate in cell.gates]),
        "bias_ih": torch.cat([d[f"b_{gate}"] for gate in cell.gates]),
        "bias_hh": torch.cat([d[f"b_{gate}h" if _inside_reset(cell, gate) else f"b_{gate}"] for gate in cell.gates]),
    }
    peepholes = [d[f"W_{gate}c"] for gate in cell.gates if f"W_{gate}c" in d]
    return stacked | ({"weight_ch": torch.cat(peepholes)} if peepholes else {})


def _inside_reset(cell: Cell, gate: str) -> bool:
    """Whether bias_hh stands inside the reset gate's product, apart from bias_ih."""
    return isinstance(cell, GRUCell) and cell.reset == "after" and gate == "n"
