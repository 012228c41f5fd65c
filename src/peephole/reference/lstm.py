"""Long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000) and its variants."""

import torch
from torch import Tensor

from peephole.reference.passing import Passing, unchanged
from peephole.reference.preactivation import by_gate, dropped, from_input, from_state, normalised
from peephole.spec import CellSpec


def step(
    spec: CellSpec,
    x: Tensor,
    states: tuple[Tensor, ...],
    weights: dict[str, Tensor],
    recurrent_mask: Tensor | None = None,
    see: Passing = unchanged,
) -> tuple[Tensor, ...]:
    """One step of the constant error carousel and its gates. x `[B, I]`, h `[B, H]` or `[B, P]`, c `[B, H]`.

    Full gate recurrence also takes and returns the gates of the step before, `[B, H]` each.
    """
    h, c, *gates_before = states
    z = by_gate(spec, from_input(x, weights) + from_state(dropped(h, recurrent_mask), weights))
    if spec.gate_recurrence:
        from_gates = torch.cat(gates_before, dim=-1) @ weights["weight_gh"].T
        for gate, fed_back in zip(spec.sigmoid_gates, from_gates.chunk(len(spec.sigmoid_gates), dim=-1), strict=True):
            z[gate] = z[gate] + fed_back
    peepholes = weights["weight_ch"].chunk(len(spec.peephole_gates)) if spec.peephole_gates else ()
    peephole_of = dict(zip(spec.peephole_gates, peepholes, strict=True))

    def pre_activation(gate: str, cell_state: Tensor) -> Tensor:
        total = z[gate]
        if gate in peephole_of:
            seen = peephole_of[gate]
            total = total + (cell_state @ seen.T if spec.peephole == "full" else cell_state * seen)
        return normalised(spec, gate, total, weights, see)

    gates: dict[str, Tensor] = {}
    for gate in ("i", "f"):
        if gate in z:
            gates[gate] = see(gate, torch.sigmoid(pre_activation(gate, c)))
    input_gate = gates["i"] if spec.input_gate else 1.0
    forget_gate = gates["f"] if "f" in gates else (1 - input_gate if spec.coupled else 1.0)
    candidate = pre_activation("g", c)
    if spec.input_activation:
        candidate = torch.tanh(candidate)
    candidate = see("g", candidate)
    c = see("c", forget_gate * c + input_gate * candidate)
    if spec.output_gate:
        gates["o"] = see("o", torch.sigmoid(pre_activation("o", c)))
    output_gate = gates["o"] if spec.output_gate else 1.0
    h = output_gate * (torch.tanh(c) if spec.output_activation else c)
    if spec.projected:
        h = h @ weights["weight_hr"].T
    h = see("h", h)
    return (h, c, *gates.values()) if spec.gate_recurrence else (h, c)
