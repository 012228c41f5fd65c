"""The sampled softmax: a full softmax that trains against a drawn few of all symbols."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peephole.errors import InputError
from peephole.models.softmax.fused import FEW_ROWS, TINY, Block, Gradients, product_dtype, rows_held
from peephole.models.softmax.linear import FullSoftmax, Fused, Made, weighed

Rows = Float[Tensor, "rows width"]
Symbols = Int[Tensor, " rows"]
Nats = Float[Tensor, " rows"]


class SampledSoftmax(FullSoftmax):
    """A full softmax, but for its divergence while training, whose normaliser is estimated (Bengio & Senécal 2008).

    −log P(t | h) = −o_t + log Σ_s exp(o_s) with logits o. The sum has exp(o_t) itself, and for all other symbols that
    of a drawn few, shared by all rows of a call: symbol s is drawn with probability π_s and counts exp(o_s) / π_s, so
    that the expected sum is right. π_s = min(1, c / rank), symbols being numbered by falling frequency, with c such
    that `samples` come together: the most frequent are always there. In another order of the symbols it stays right on
    average and becomes noisier. With as many samples as symbols it is exact.

    Drawn from torch's generator; in evaluation, and without gradients, nothing is drawn.
    """

    def __init__(self, width: int, symbols: int, samples: int) -> None:
        super().__init__(width, symbols)
        if not 1 <= samples <= symbols:
            raise InputError(f"samples are {samples}; expected 1 to the {symbols:,} symbols")
        self.samples = samples
        chances = inclusion(symbols, samples)
        self.register_buffer("chances", chances.log().float(), persistent=False)
        self.register_buffer("ladder", chances.cumsum(0), persistent=False)

    chances: Tensor  # log π [V]
    ladder: Tensor  # Σ π up to each symbol, float64 [V]

    def divergence(self, h: Rows, targets: Symbols, weights: Nats | None = None) -> Float[Tensor, ""]:
        """Σ w_n · −log P(target n) in nats, in training estimated. Differentiable once."""
        if not self.training or not torch.is_grad_enabled():
            return super().divergence(h, targets, weights)
        drawn = self.draw()
        constants = targets, weights, product_dtype(h), drawn, self.chances[drawn]
        return Fused.apply(_sampled, constants, h, self.weight, self.bias)  # pyright: ignore[reportReturnType]

    def draw(self) -> Int[Tensor, " samples"]:
        """Symbols, rising, each π_s times on average: one from every stretch of the ladder of length 1."""
        steps = torch.arange(self.samples, dtype=torch.float64)
        places = (steps + torch.rand(self.samples, dtype=torch.float64)).to(self.ladder.device)
        return torch.searchsorted(self.ladder, places, right=True).clamp_max(self.out_features - 1)


def inclusion(symbols: int, samples: int) -> Float[Tensor, " symbols"]:
    """π `[V]`: min(1, c / rank), in all `samples`."""
    ranks = torch.arange(1, symbols + 1, dtype=torch.float64)
    low, high = 0.0, float(symbols)
    for _ in range(64):  # halve: the sum rises with c
        middle = (low + high) / 2
        fits = bool((middle / ranks).clamp_max(1).sum() <= samples)
        low, high = (middle, high) if fits else (low, middle)
    return (high / ranks).clamp_max(1)


class _Contest:
    """Rows of logits `[rows, S + 1]`: of the drawn symbols over their chances, and last of the row's own target."""

    def __init__(self, weight: Tensor, bias: Tensor, drawn: Tensor, chances: Tensor, dtype: torch.dtype) -> None:
        self.weight, self.bias, self.drawn = weight, bias, drawn
        self.columns = torch.cat([drawn, drawn[:1]])  # the last stands in for the targets, one product for all
        corrected = bias[self.columns]
        corrected[:-1] -= chances
        self.block = Block(weight[self.columns], corrected, dtype, FEW_ROWS)

    def logits(self, h: Tensor, low: Tensor, targets: Tensor, own: Tensor, out: Tensor) -> Tensor:
        """In `out`; `own` are the targets' rows of the weight `[rows, E]`. A target that was drawn counts once."""
        logits, row = self.block.logits(low, out), torch.arange(len(h), device=h.device)
        left = torch.searchsorted(self.drawn, targets)
        right = torch.searchsorted(self.drawn, targets, right=True)
        hit = right > left
        for place in (left, right - 1):  # two draws at most
            logits[row[hit], place[hit]] = -torch.inf
        logits[:, -1] = ((h * own).sum(1) + self.bias[targets]).to(logits.dtype)
        return logits


def _sampled(tensors: tuple[Tensor, ...], constants: tuple[Any, ...]) -> Made:
    (h, weight, bias), (targets, weights, dtype, drawn, chances) = tensors, constants
    contest = _Contest(weight, bias, drawn, chances.to(bias.dtype), dtype)
    block, symbols = contest.block, len(contest.columns)
    low, dh, dweight, dbias = h.to(dtype), torch.empty_like(h), torch.zeros_like(weight), torch.zeros_like(bias)
    made = Gradients(weight.new_empty(symbols, h.shape[1]), bias.new_empty(symbols))
    rows = rows_held(symbols, dtype)
    held = low.new_empty(min(rows, len(h)), symbols)
    nats = weight.new_empty(len(h))
    for start in range(0, len(h), rows):
        part = slice(start, start + rows)
        some, few, right = h[part], low[part], targets[part]
        own = weight[right]
        p = contest.logits(some, few, right, own, held[: len(some)])
        torch.softmax(p, 1, out=p)
        found = -p[:, -1].to(weight.dtype).log()
        lost = (p[:, -1] < TINY).nonzero()[:, 0]
        if len(lost):
            again = contest.logits(some[lost], few[lost], right[lost], own[lost], p.new_empty(len(lost), symbols))
            found[lost] = -torch.log_softmax(again.to(weight.dtype), 1)[:, -1]
        nats[part] = found
        p[:, -1] -= 1
        if weights is not None:
            p.mul_(weights[part, None])
        dself = p[:, -1].to(weight.dtype, copy=True)
        p[:, -1] = 0
        dh[part] = torch.mm(p, block.weight) + dself[:, None] * own
        made.add(p, few)
        dweight.index_add_(0, right, dself[:, None] * some)
        dbias.index_add_(0, right, dself)
    made.finish()
    dweight.index_add_(0, contest.columns, made.weight)
    dbias.index_add_(0, contest.columns, made.bias)
    return weighed(nats, weights), (dh, dweight, dbias)
