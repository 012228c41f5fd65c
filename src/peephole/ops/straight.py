"""A call of the compiled kernels that nothing but autograd has to see, without an operator in between.

An operator's way through the dispatcher and back is Python that takes several times as long as a small layer computes.
Compilers, modes and tensors of other classes go through the operators; so do second derivatives.
"""

from typing import Any

import torch
from torch import Tensor, nn

from peephole.operands import Operands
from peephole.ops.operators import BACKWARDS, NoAutocast, given_gradients, parted
from peephole.ops.support import BACKENDS, KERNELS
from peephole.ops.tracing import beside
from peephole.ops.tracing import kernels as traced
from peephole.ops.tracing.record import Piece

_PLAIN = (Tensor, nn.Parameter)


def goes_straight(operands: Operands, kernel: str) -> bool:
    """Whether `run` may serve this call."""
    if kernel not in BACKENDS["native"] or torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack():
        return False
    tensors = (operands.x, *operands.states, *operands.weights, *operands.masks)
    return all(type(tensor) in _PLAIN for tensor in tensors)


def run(operands: Operands, kernel: str, save: bool, piece: Piece | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
    """y `[T, B, H]` (or P) and the final states; `save` where a gradient is wanted, `piece` where a trace looks on."""
    if not save:
        with NoAutocast(operands.x.device.type):
            y, finals, _ = _forward(operands, kernel, False, piece)
        return y, tuple(finals)
    tensors = (*operands.states, *operands.weights, *operands.masks)
    results: tuple[Tensor, ...] = _Layer.apply(operands, kernel, piece, operands.x, *tensors)  # pyright: ignore
    return results[0], results[1:]


def _forward(operands: Operands, kernel: str, save: bool, piece: Piece | None) -> tuple[Tensor, Any, Tensor]:
    if piece is None:
        return KERNELS[kernel].forward(operands, save)
    return traced.forward(operands, kernel, save, piece)


class _Layer(torch.autograd.Function):
    """One layer in one direction; what is differentiated comes after the operands that hold it."""

    @staticmethod
    def forward(
        ctx: Any, operands: Operands, kernel: str, piece: Piece | None, x: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        with NoAutocast(x.device.type):
            y, finals, saved = _forward(operands, kernel, True, piece)
        ctx.set_materialize_grads(False)  # zeros would cost more than the kernel
        ctx.counts = len(operands.states), len(operands.weights), len(operands.masks)
        ctx.static = operands.spec, kernel, operands.reverse
        ctx.piece = piece
        ctx.save_for_backward(x, operands.lengths, operands.resets, y, saved, *tensors, *finals)
        return y, *finals

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Any, ...]:
        x, lengths, resets, y, saved, *rest = ctx.saved_tensors
        states, weights, masks, finals = parted(rest, ctx.counts)
        spec, kernel, reverse = ctx.static
        piece: Piece | None = ctx.piece if ctx.piece is not None and ctx.piece.wants_gradients else None
        grads = given_gradients(upstream, (y, *finals))
        if torch.is_grad_enabled():  # for derivatives of these gradients
            dx, dstates, dweights = BACKWARDS[spec.family](
                grads, x, states, weights, lengths, resets, masks, y, finals, saved, spec.code, kernel, reverse
            )
            if piece is not None:
                beside.show_gradients(Operands(spec, x, states, weights, lengths, resets, masks, reverse), grads, piece)
        else:
            operands = Operands(spec, x, states, weights, lengths, resets, masks, reverse)
            wants_x, wants_weights = ctx.needs_input_grad[3], any(ctx.needs_input_grad[4 + len(states) :])
            with NoAutocast(x.device.type):
                if piece is not None:
                    dx, dstates, dweights = traced.backward(
                        operands, kernel, grads, y, finals, saved, piece, wants_x, wants_weights
                    )
                else:
                    dx, dstates, dweights = KERNELS[kernel].backward(
                        operands, grads, y, finals, saved, **_wishes(kernel, wants_x, wants_weights)
                    )
        dx = dx if x.is_floating_point() and ctx.needs_input_grad[3] else None
        return None, None, None, dx, *dstates, *(dweights or [None] * len(weights)), *[None] * len(masks)


def _wishes(kernel: str, wants_x: bool, wants_weights: bool) -> dict[str, bool]:
    """What the backward may leave out, to kernels that can."""
    return {"wants_x": wants_x, "wants_weights": wants_weights} if kernel in BACKENDS["native"] else {}
