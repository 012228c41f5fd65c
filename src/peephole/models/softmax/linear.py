"""The full softmax: one linear map, its divergence and gradient fused."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.models.softmax.fused import Block, Gradients, descend, product_dtype, surprisals
from peephole.ops.operators import NoAutocast

Rows = Float[Tensor, "rows width"]
Symbols = Int[Tensor, " rows"]
Nats = Float[Tensor, " rows"]
Made = tuple[Tensor, tuple[Tensor, ...]]
Compute = Callable[[tuple[Tensor, ...], tuple[Any, ...]], Made]


class FullSoftmax(nn.Linear):
    """P(symbol | h) = softmax(W h + b) over all V symbols: logits come out, W `[V, E]` may be an embedding's weights.

    Under autocast to bfloat16 the products and logits are bfloat16, sums and results float32.
    """

    def __init__(self, width: int, symbols: int) -> None:
        super().__init__(width, symbols)

    @torch.no_grad()
    def begin_with(self, logs: Float[Tensor, " symbols"]) -> None:
        """Let the biases say these log-probabilities, whatever h is."""
        self.bias.copy_(logs)

    def divergence(self, h: Rows, targets: Symbols, weights: Nats | None = None) -> Float[Tensor, ""]:
        """Σ w_n · −log P(target n) in nats: the value of `divergence.kl` of the logits, which are never all held.

        Differentiable once; `create_graph=True` raises `InputError`.
        """
        if not torch.is_grad_enabled():
            return weighed(self.surprisals(h, targets), weights)
        constants = targets, weights, product_dtype(h)
        return Fused.apply(_full, constants, h, self.weight, self.bias)  # pyright: ignore[reportReturnType]

    @torch.no_grad()
    def surprisals(self, h: Rows, targets: Symbols) -> Nats:
        """−log P of each target in nats, without gradient."""
        dtype = product_dtype(h)
        with NoAutocast(h.device.type):
            return surprisals(h.to(dtype), Block(self.weight, self.bias, dtype, len(h)), targets)


def weighed(nats: Nats, weights: Nats | None) -> Float[Tensor, ""]:
    """Σ w_n nats_n; a weight of zero switches a row off even where it costs infinitely much."""
    if weights is None:
        return nats.sum()
    return torch.where(weights != 0, nats * weights, 0.0).sum()


class Fused(torch.autograd.Function):
    """A divergence whose forward makes the gradients too, where the logits are: the backward only scales them.

    `compute(tensors, constants) -> (divergence, a gradient for each of the tensors)`.
    """

    @staticmethod
    def forward(ctx: Any, compute: Compute, constants: tuple[Any, ...], *tensors: Tensor) -> Tensor:
        ctx.compute, ctx.constants = compute, constants
        ctx.save_for_backward(*tensors)
        with NoAutocast(tensors[0].device.type):
            total, ctx.gradients = compute(tensors, constants)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise InputError(
                "got create_graph=True, and the divergence of a softmax can be differentiated once; for second "
                "derivatives take divergence.kl of the head's logits"
            )
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:  # a second time over a graph that was kept: the first gradients are somebody's now
            with NoAutocast(upstream[0].device.type):
                _, gradients = ctx.compute(ctx.saved_tensors, ctx.constants)
        return (None, None, *(one.mul_(upstream[0]) for one in gradients))


def _full(tensors: tuple[Tensor, ...], constants: tuple[Any, ...]) -> Made:
    (h, weight, bias), (targets, weights, dtype) = tensors, constants
    dh, gradients = torch.empty_like(h), Gradients(torch.empty_like(weight), torch.empty_like(bias))
    nats = descend(h.to(dtype), Block(weight, bias, dtype, len(h)), targets, weights, gradients, dh)
    return weighed(nats, weights), (dh, gradients.weight, gradients.bias)
