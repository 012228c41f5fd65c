"""A step's Jacobian bounded state by state: N with N_ab ≥ ‖∂a(t)/∂b(t−1)‖₂, from the weights and the gates' factors.

The derivation is in `docs/bounds.md`. Each state's tangent is followed through the step as in `Linearised.push`, as the
row of its bounds by the states before: norms in place of matrices, sums of norms in place of sums.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.stability.recordings.passage import Passage
from peephole.stability.steps.gru import GRUSteps
from peephole.stability.steps.linearised import Linearised
from peephole.stability.steps.lstm import LSTMSteps
from peephole.stability.steps.rnn import RNNSteps

SLOPES = {"tanh": 1.0, "relu": 1.0, "identity": 1.0, "sigmoid": 0.25, "softmax": 0.5}  # γ, the largest ‖f′‖₂


@dataclass(frozen=True)
class Factors:
    """Bounds on what stands before the weights in a step's derivative, in float64: numbers, or `[T, B]`.

    `gates[k]` is α_k ν_k, of the factor before ∂n_k times that of ∂n_k/∂z_k (1 without layer normalisation); `kept` is
    φ, what a step keeps of c or h; `shown` τ, from c to h; `reset` ϱ, the reset gate; `opened[k]` σ′ ν_k where gates
    are fed back.
    """

    gates: Mapping[str, Tensor]
    kept: Tensor = field(default_factory=lambda: torch.ones(()))
    shown: Tensor = field(default_factory=lambda: torch.ones(()))
    reset: Tensor = field(default_factory=lambda: torch.ones(()))
    opened: Mapping[str, Tensor] = field(default_factory=dict)


def occurred(one: Linearised) -> Factors:
    """The factors along the trajectory: at each step and row the largest over units."""
    if isinstance(one, RNNSteps):
        slope = one.slope.double()
        if one.spec.nonlinearity == "softmax":  # ‖diag(y) − y yᵀ‖₂ ≤ its largest sum over a row, 2 y (1 − y)
            slope = 2 * slope * (1 - slope)
        return Factors({"h": slope.amax(-1) * one.norms["h"].norms().double()})
    assert isinstance(one, LSTMSteps | GRUSteps)
    gates = {gate: _largest(factor) * one.norms[gate].norms().double() for gate, factor in one.factors.items()}
    if isinstance(one, GRUSteps):
        reset = _largest(one.gates["r"]) if "r" in one.gates else torch.ones_like(gates["z"])
        return Factors(gates, _largest(one.kept), reset=reset)
    opened = {
        gate: _largest(one.gates[gate] * (1 - one.gates[gate])) * one.norms[gate].norms().double()
        for gate in one.spec.sigmoid_gates
    }
    return Factors(gates, _largest(one.kept), _largest(one.to_h), opened=opened)


def _largest(factor: Tensor) -> Tensor:
    return factor.double().abs().amax(-1)


def block_bounds(passage: Passage, factors: Factors) -> Float[Tensor, "*steps states states"]:
    """N of a step that a row takes, states in the order of `spec.states`; numbers give one matrix, `[T, B]` many."""
    spec, weights = passage.spec, {name: weight.double() for name, weight in passage.weights.items()}
    states = torch.eye(len(spec.states), dtype=torch.float64, device=passage.x.device).unbind()
    rows = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}[spec.family](passage, weights, factors, states)
    if any(passage.zoneout):
        rows = [kept * state + (1 - kept) * row for kept, state, row in zip(passage.zoneout, states, rows, strict=True)]
    return torch.stack(torch.broadcast_tensors(*rows), dim=-2)


def spectral_norm(weight: Tensor) -> Tensor:
    """‖W‖₂; a vector stands for a diagonal matrix."""
    return weight.abs().amax() if weight.dim() == 1 else torch.linalg.matrix_norm(weight, 2)


def _rnn(passage: Passage, weights: dict[str, Tensor], factors: Factors, states: tuple[Tensor, ...]) -> list[Tensor]:
    """h_t by all taps, which then move one place on."""
    h = torch.zeros_like(states[0])
    if "weight_hh" in weights:
        taps = weights["weight_hh"].split(passage.sizes[0], dim=-1)
        z = sum((spectral_norm(weight) * state for weight, state in zip(taps, states, strict=True)), h)
        h = factors.gates["h"][..., None] * z
    if passage.spec.residual != "none":
        h = h + states[0]
    return [h, *states[:-1]]


def _lstm(passage: Passage, weights: dict[str, Tensor], factors: Factors, states: tuple[Tensor, ...]) -> list[Tensor]:
    """h_t, c_t and the gates that are fed back."""
    spec, (h, c, *gates) = passage.spec, states
    z = _products(passage, weights, h)
    if spec.gate_recurrence:
        count = len(spec.sigmoid_gates)
        for gate, rows in zip(spec.sigmoid_gates, weights["weight_gh"].chunk(count), strict=True):
            for block, fed in zip(rows.chunk(count, dim=-1), gates, strict=True):
                z[gate] = z[gate] + spectral_norm(block) * fed
    parts = weights["weight_ch"].chunk(len(spec.peephole_gates)) if spec.peephole_gates else ()
    peepholes = {gate: spectral_norm(part) for gate, part in zip(spec.peephole_gates, parts, strict=True)}

    def seen(gate: str, cell: Tensor) -> Tensor:
        return z[gate] + peepholes[gate] * cell if gate in peepholes else z[gate]

    pre = {gate: seen(gate, c) for gate in spec.gates if gate != "o"}
    cell = factors.kept[..., None] * c
    for gate, total in pre.items():
        cell = cell + factors.gates[gate][..., None] * total
    shown = factors.shown[..., None] * cell
    if "o" in spec.gates:
        pre["o"] = seen("o", cell)
        shown = shown + factors.gates["o"][..., None] * pre["o"]
    if spec.projected:
        shown = spectral_norm(weights["weight_hr"]) * shown
    fed_back = spec.sigmoid_gates if spec.gate_recurrence else ()
    return [shown, cell, *(factors.opened[gate][..., None] * pre[gate] for gate in fed_back)]


def _gru(passage: Passage, weights: dict[str, Tensor], factors: Factors, states: tuple[Tensor, ...]) -> list[Tensor]:
    """h_t, a single number."""
    (h,), z = states, _products(passage, weights, states[0])
    fed = z["n"]
    if passage.spec.reset == "after":
        fed = factors.reset[..., None] * z["n"] + factors.gates["r"][..., None] * z["r"]
    elif passage.spec.reset == "before":
        size = spectral_norm(weights["weight_hh"].chunk(3)[2])
        fed = size * (factors.reset[..., None] * h + factors.gates["r"][..., None] * z["r"])
    return [factors.kept[..., None] * h + factors.gates["z"][..., None] * z["z"] + factors.gates["n"][..., None] * fed]


def _products(passage: Passage, weights: dict[str, Tensor], h: Tensor) -> dict[str, Tensor]:
    """Those of h with each gate's recurrent weights."""
    gates = passage.spec.gates
    blocks = weights["weight_hh"].chunk(len(gates))
    return {gate: spectral_norm(block) * h for gate, block in zip(gates, blocks, strict=True)}
