"""Gated recurrent unit (Cho et al. 2014): reset before or after the product, update that keeps or writes."""

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
    """One step; x `[B, I]`, h `[B, H]`.

    `reset="after"`: r weighs W_hn h + b_hn, as in torch and cuDNN; "before": r weighs h, as in the paper;
    "none": nothing does (Ravanelli et al. 2018).
    `update="keeps"`: z weighs the old state, 1 - z the candidate; "writes": the other way round.
    """
    (h,) = states
    seen = dropped(h, recurrent_mask)
    z_x, z_h = by_gate(spec, from_input(x, weights)), by_gate(spec, from_state(seen, weights))

    def gate(name: str) -> Tensor:
        return see(name, torch.sigmoid(normalised(spec, name, z_x[name] + z_h[name], weights, see)))

    reset_gate = 1.0 if spec.reset == "none" else gate("r")
    update_gate = gate("z")
    if spec.reset == "before":
        recurrent = by_gate(spec, from_state(reset_gate * seen, weights))["n"]
    else:
        recurrent = reset_gate * z_h["n"]
    candidate = see("n", torch.tanh(normalised(spec, "n", z_x["n"] + recurrent, weights, see)))
    kept = update_gate if spec.update == "keeps" else 1 - update_gate
    written = 1 - update_gate if spec.update == "keeps" else update_gate
    return (see("h", written * candidate + kept * h),)
