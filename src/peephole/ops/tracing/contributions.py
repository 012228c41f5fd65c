"""How much each step adds to the gradients of a layer's weights: norms of the terms of Σ_t dz_t ⊗ x_t.

A step's term, summed over the batch, is a matrix that nobody needs: its squared norm is the sum of the products of two
small Gram matrices, (dz_b · dz_b') (x_b · x_b') over b and b'.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from peephole.operands import Operands, state_dtype


@dataclass(frozen=True, eq=False)
class Contributions:
    """‖Σ_b dz_tb ⊗ x_tb‖ of each step, `[T]`, for `weight_ih`, `weight_hh` and `bias_ih`. (`bias_hh` gets the same, but
    for a GRU's candidate.)
    """

    norms: dict[str, Tensor]

    def total(self) -> Tensor:
        """Of all of them taken as one vector, `[T]`."""
        return torch.stack(list(self.norms.values())).square().sum(0).sqrt()


def contributions(
    operands: Operands, y: Tensor, dz: Tensor, reset: Tensor | None, embedding: Tensor | None
) -> Contributions:
    """From the gradients of the pre-activations `[T, B, G·H]`, zero past a row's end; `reset` is a GRU's r `[T, B, H]`.

    y `[T, B, ·]` is the layer's output; `embedding` `[V, I]` what symbols stand for.
    """
    spec, wide = operands.spec, state_dtype(operands.dtype)
    dz = dz.to(wide)
    x = operands.x.detach()
    if operands.symbols and embedding is not None:
        x = torch.nn.functional.embedding(x, embedding.detach())
    norms = {"weight_ih": _norms(dz, x.to(wide) if x.is_floating_point() else x)}
    if "weight_hh" in operands.named_weights and spec.family in ("rnn", "lstm", "gru"):
        seen = _seen(operands, y.detach().to(wide))
        if spec.family == "gru" and reset is not None:
            gates, candidate = dz.split([2 * reset.shape[-1], reset.shape[-1]], dim=-1)
            if spec.reset == "after":  # its last rows see h, and r weighs what comes of it
                norms["weight_hh"] = _norms(torch.cat([gates, candidate * reset], dim=-1), seen)
            else:
                squares = _norms(gates, seen).square() + _norms(candidate, reset * seen).square()
                norms["weight_hh"] = squares.sqrt()
        else:
            norms["weight_hh"] = _norms(dz, seen)
    if spec.bias:
        norms["bias_ih"] = torch.linalg.vector_norm(dz.sum(1), dim=-1)
    return Contributions(norms)


def _norms(dz: Tensor, x: Tensor) -> Tensor:
    """‖Σ_b dz_b ⊗ x_b‖ of each step, `[T]`; x `[T, B, ·]`, or symbols `[T, B]` in place of one-hot vectors."""
    batch = dz.shape[1]
    symbols = not x.is_floating_point()
    if batch == 1:
        norm = torch.linalg.vector_norm(dz[:, 0], dim=-1)
        return norm if symbols else norm * torch.linalg.vector_norm(x[:, 0], dim=-1)
    if not symbols and batch > min(dz.shape[-1], x.shape[-1]):  # then the matrix itself is the smaller one
        return torch.stack([torch.linalg.vector_norm(left.t() @ right) for left, right in zip(dz, x, strict=True)])
    of_input = (x[:, :, None] == x[:, None, :]).to(dz.dtype) if symbols else x @ x.mT
    return ((dz @ dz.mT) * of_input).sum((1, 2)).clamp_min(0).sqrt()


def _seen(operands: Operands, y: Tensor) -> Tensor:
    """What the recurrent product of each step saw, `[T, B, ·]`: h of the step before, or of the last k side by side."""
    states = [state.detach().to(y.dtype) for state in operands.states[: operands.spec.taps]]
    cut, steps = operands.borders, y.shape[0]
    shown: list[Tensor] = []
    # Each state before step t: the first is h_{t-1}, the others are those before it, moved on.
    previous = y
    for state in states:
        start = _start(operands, state, steps)
        moved = torch.cat([previous[1:], start[-1:]]) if operands.reverse else torch.cat([start[:1], previous[:-1]])
        if operands.lengths is not None and operands.reverse:
            first = torch.arange(steps, device=y.device)[:, None] == operands.lengths - 1  # where a row begins
            moved = torch.where(first[..., None], start, moved)
        if cut is not None:
            border = torch.cat([cut[1:], torch.zeros_like(cut[:1])]) if operands.reverse else cut
            moved = moved.masked_fill(border[..., None], 0.0)
        previous = moved
        shown.append(moved if operands.recurrent_mask is None else moved * operands.recurrent_mask)
    return torch.cat(shown, dim=-1)


def _start(operands: Operands, state: Tensor, steps: int) -> Tensor:
    return state.expand(steps, *state.shape)
