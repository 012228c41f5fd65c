"""The loop that one writes by hand with torch for a cell that torch.nn lacks: what a fused layer is measured against.

Written as one would who cares for speed: the input product of all steps is one, biases are added once, each step is
one product and the pointwise operations; autograd does the backward.
"""

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear

from peephole.bench.cases import Case
from peephole.spec import CellSpec

SWITCHES = {"peephole", "candidate_peephole", "layer_norm"}  # those that it has, besides torch.nn's cells


def refusal(case: Case) -> str | None:
    """Why the loop was not written for this case; None when it was."""
    lacking = sorted(set(case.spec.changes) - SWITCHES)
    if lacking or (case.spec.layer_norm and case.spec.family != "lstm"):
        return f"the loop was not written for {case.spec.code}"
    if case.noise:
        return "the loop was not written for noise in the recurrence"
    return f"the loop was not written for {case.dtype}" if case.dtype != "float32" else None


def run(spec: CellSpec, x: Tensor, weights: dict[str, Tensor]) -> list[Tensor]:
    """y `[T, B, H]` and the final states `[1, B, H]` of a sequence x `[T, B, I]` that starts from zero."""
    step = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}[spec.family]
    bias = weights["bias_ih"] if spec.family == "gru" else weights["bias_ih"] + weights["bias_hh"]
    from_input = linear(x, weights["weight_ih"], bias)  # [T, B, G·H]
    hidden = weights["weight_hh"].shape[1]
    states = tuple(x.new_zeros(x.shape[1], hidden) for _ in spec.states)
    outputs: list[Tensor] = []
    for z in from_input.unbind(0):
        states = step(spec, z, states, weights)
        outputs.append(states[0])
    return [torch.stack(outputs), *(state[None] for state in states)]


def _rnn(spec: CellSpec, z: Tensor, states: tuple[Tensor, ...], weights: dict[str, Tensor]) -> tuple[Tensor, ...]:
    return (torch.tanh(torch.addmm(z, states[0], weights["weight_hh"].t())),)


def _gru(spec: CellSpec, z: Tensor, states: tuple[Tensor, ...], weights: dict[str, Tensor]) -> tuple[Tensor, ...]:
    (h,) = states
    input_r, input_z, input_n = z.chunk(3, 1)
    state_r, state_z, state_n = linear(h, weights["weight_hh"], weights["bias_hh"]).chunk(3, 1)
    update = torch.sigmoid(input_z + state_z)
    candidate = torch.tanh(input_n + torch.sigmoid(input_r + state_r) * state_n)
    return (candidate + update * (h - candidate),)


def _lstm(spec: CellSpec, z: Tensor, states: tuple[Tensor, ...], weights: dict[str, Tensor]) -> tuple[Tensor, ...]:
    h, c = states
    z = torch.addmm(z, h, weights["weight_hh"].t())
    i, f, g, o = z.chunk(4, 1)
    if spec.peephole == "full":
        before, after = weights["weight_ch"][: -h.shape[1]], weights["weight_ch"][-h.shape[1] :]
        seen = linear(c, before).chunk(len(spec.peephole_gates) - 1, 1)
        i, f = i + seen[0], f + seen[1]
        g = g + seen[2] if spec.candidate_peephole else g
    elif spec.peephole == "diagonal":
        vectors = weights["weight_ch"].chunk(len(spec.peephole_gates))
        i, f = torch.addcmul(i, vectors[0], c), torch.addcmul(f, vectors[1], c)
        g = torch.addcmul(g, vectors[2], c) if spec.candidate_peephole else g
        after = vectors[-1]
    else:
        after = None
    if spec.layer_norm:
        i, f, g = (_normalised(gate, index, weights) for index, gate in enumerate((i, f, g)))
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    if after is not None:
        o = torch.addcmul(o, after, c) if after.dim() == 1 else torch.addmm(o, c, after.t())
    if spec.layer_norm:
        o = _normalised(o, 3, weights)
    return torch.sigmoid(o) * torch.tanh(c), c


def _normalised(gate: Tensor, index: int, weights: dict[str, Tensor]) -> Tensor:
    hidden = gate.shape[1]
    scale, shift = (weights[name].split(hidden)[index] for name in ("weight_ln", "bias_ln"))
    return layer_norm(gate, (hidden,), scale, shift)
