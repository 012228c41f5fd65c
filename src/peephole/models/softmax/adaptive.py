"""The adaptive softmax: frequent symbols at once, rarer ones by clusters."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear, log_softmax

from peephole.errors import InputError
from peephole.models.softmax.fused import Block, Gradients, descend, product_dtype, surprisals
from peephole.models.softmax.linear import Fused, Made, weighed
from peephole.ops.operators import NoAutocast

Rows = Float[Tensor, "rows width"]
Symbols = Int[Tensor, " rows"]
Nats = Float[Tensor, " rows"]


class AdaptiveSoftmax(nn.Linear):
    """P(symbol | h) in two choices, over V symbols numbered by falling frequency (Grave et al. 2017).

    The first is a softmax over the symbols below the first cutoff and the clusters of the others; the second, where the
    first chose a cluster, a softmax over its symbols. Most targets need the first alone, which is small. All symbols
    have E numbers, in one W `[V, E]`, which may be an embedding's weights; the paper gives rarer ones fewer.

    Attributes:
        cutoffs: the ranks at which the clusters begin, rising.
        clusters: the linear map of the clusters' own logits in the first choice.
    """

    def __init__(self, width: int, symbols: int, cutoffs: Sequence[int]) -> None:
        super().__init__(width, symbols)
        self.cutoffs = tuple(cutoffs)
        bounds = [0, *self.cutoffs, symbols]
        if not self.cutoffs or any(end <= start for start, end in pairwise(bounds)):
            raise InputError(
                f"cutoffs are {self.cutoffs}; expected rising ranks from 1 to below the {symbols:,} symbols"
            )
        self.clusters = nn.Linear(width, len(self.cutoffs))

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """First symbol and end of each cluster."""
        return list(zip(self.cutoffs, (*self.cutoffs[1:], self.out_features), strict=True))

    @torch.no_grad()
    def begin_with(self, logs: Float[Tensor, " symbols"]) -> None:
        """Let the biases say these log-probabilities, whatever h is; those of the clusters say their sums."""
        self.bias.copy_(logs)
        self.clusters.bias.copy_(torch.stack([logs[start:end].logsumexp(0) for start, end in self.bounds]))

    def forward(self, input: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch symbols"]:
        """Log-probabilities of all symbols."""
        count = self.cutoffs[0]
        weight = torch.cat([self.weight[:count], self.clusters.weight])
        bias = torch.cat([self.bias[:count], self.clusters.bias])
        first = log_softmax(_exact(linear(input, weight, bias)), -1)
        parts = [first[..., :count]]
        for number, (start, end) in enumerate(self.bounds):
            within = log_softmax(_exact(linear(input, self.weight[start:end], self.bias[start:end])), -1)
            parts.append(within + first[..., count + number, None])
        return torch.cat(parts, -1)

    def divergence(self, h: Rows, targets: Symbols, weights: Nats | None = None) -> Float[Tensor, ""]:
        """Σ w_n · −log P(target n) in nats. Differentiable once."""
        if not torch.is_grad_enabled():
            return weighed(self.surprisals(h, targets), weights)
        constants = targets, weights, product_dtype(h), self.bounds
        tensors = h, self.weight, self.bias, self.clusters.weight, self.clusters.bias
        return Fused.apply(_adaptive, constants, *tensors)  # pyright: ignore[reportReturnType]

    @torch.no_grad()
    def surprisals(self, h: Rows, targets: Symbols) -> Nats:
        """−log P of each target in nats, without gradient."""
        dtype, bounds = product_dtype(h), self.bounds
        with NoAutocast(h.device.type):
            low = h.to(dtype)
            first, chosen, members = _choices(targets, bounds)
            weight = torch.cat([self.weight[:first], self.clusters.weight])
            bias = torch.cat([self.bias[:first], self.clusters.bias])
            nats = surprisals(low, Block(weight, bias, dtype, len(h)), chosen)
            for (start, end), rows in zip(bounds, members, strict=True):
                block = Block(self.weight[start:end], self.bias[start:end], dtype, len(rows))
                nats[rows] += surprisals(low[rows], block, targets[rows] - start)
        return nats


def _choices(targets: Tensor, bounds: list[tuple[int, int]]) -> tuple[int, Tensor, list[Tensor]]:
    """How many symbols the first choice has, what is right there for each target, and the rows of each cluster."""
    first, chosen, members = bounds[0][0], targets.clone(), list[Tensor]()
    for number, (start, end) in enumerate(bounds):
        rows = ((targets >= start) & (targets < end)).nonzero()[:, 0]
        chosen[rows] = first + number
        members.append(rows)
    return first, chosen, members


def _adaptive(tensors: tuple[Tensor, ...], constants: tuple[Any, ...]) -> Made:
    h, weight, bias, own_weight, own_bias = tensors
    targets, weights, dtype, bounds = constants
    low, dh, dweight, dbias = h.to(dtype), torch.empty_like(h), torch.empty_like(weight), torch.empty_like(bias)
    first, chosen, members = _choices(targets, bounds)
    top, top_bias = torch.cat([weight[:first], own_weight]), torch.cat([bias[:first], own_bias])
    made = Gradients(torch.empty_like(top), torch.empty_like(top_bias))
    nats = descend(low, Block(top, top_bias, dtype, len(h)), chosen, weights, made, dh)
    for (start, end), rows in zip(bounds, members, strict=True):
        block = Block(weight[start:end], bias[start:end], dtype, len(rows))
        scale, dsome = None if weights is None else weights[rows], h.new_empty(len(rows), h.shape[1])
        there = Gradients(dweight[start:end], dbias[start:end])
        nats[rows] += descend(low[rows], block, targets[rows] - start, scale, there, dsome)
        dh[rows] += dsome
    dweight[:first], dbias[:first] = made.weight[:first], made.bias[:first]
    return weighed(nats, weights), (dh, dweight, dbias, made.weight[first:], made.bias[first:])


def _exact(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
