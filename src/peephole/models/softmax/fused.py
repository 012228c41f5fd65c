"""Surprisals of a softmax and their gradients in one go, a few rows of logits at a time, without autograd.

With p = softmax(W h + b) and the target t, −log p_t has the gradient p − 1_t in the logits; it is formed where the
logits were, and goes into dh = W^T (p − 1_t) and dW = (p − 1_t) h^T at once.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

HELD = 1 << 27  # bytes of logits held at a time: more parts would be more passes over the gradient of W
FEW_ROWS = 192  # from which on laying the weights the other way round, for bfloat16 products, pays
TINY = 1e-30  # a smaller probability may have lost its digits

Rows = Float[Tensor, "rows width"]
Symbols = Int[Tensor, " rows"]


def product_dtype(h: Tensor) -> torch.dtype:
    """What products are made in: bfloat16 where autocast asks for it, else as the weights are."""
    device = h.device.type
    low = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16
    if low and h.dtype != torch.float64:
        return torch.bfloat16
    return torch.float64 if h.dtype == torch.float64 else torch.float32


def rows_held(symbols: int, dtype: torch.dtype) -> int:
    """How many rows of so many logits are held at a time."""
    return max(1, HELD // (max(1, symbols) * dtype.itemsize))


class Block:
    """Some symbols of a softmax, ready for products: weight `[K, E]`, bias `[K]`, in the dtype of the products."""

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype, rows: int) -> None:
        self.weight, self.bias = weight.detach().to(dtype), bias.detach().to(dtype)
        across = self.weight.t()  # [E, K]
        # oneDNN's bfloat16 product packs rows of K numbers three times as fast as rows of E.
        self.across = across.contiguous() if dtype == torch.bfloat16 and rows >= FEW_ROWS else across

    def logits(self, h: Rows, out: Tensor) -> Tensor:
        """W h + b `[rows, K]`, in `out`."""
        return torch.mm(h, self.across, out=out).add_(self.bias)


class Gradients:
    """Where the gradients of a block go: dW `[K, E]` and db `[K]`; what they held before the first rows is not read."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias, self.begun = weight, bias, False

    def add(self, dlogits: Tensor, h: Rows) -> None:
        """What some rows add: dlogits `[rows, K]`, h `[rows, E]`."""
        across = dlogits.t()
        if h.dtype != self.weight.dtype:  # sums over parts stay in the parameters' dtype
            found = torch.mm(across, h)
            (self.weight.add_ if self.begun else self.weight.copy_)(found)
        elif self.begun:
            self.weight.addmm_(across, h)
        else:
            torch.mm(across, h, out=self.weight)
        (self.bias.add_ if self.begun else self.bias.copy_)(dlogits.sum(0))
        self.begun = True

    def finish(self) -> None:
        """Without any rows the gradients are zero."""
        if not self.begun:
            self.weight.zero_()
            self.bias.zero_()


def descend(
    h: Rows,
    block: Block,
    targets: Symbols,
    scale: Float[Tensor, " rows"] | None,
    gradients: Gradients,
    dh: Rows,
) -> Float[Tensor, " rows"]:
    """−log p of each target in nats, unscaled; the gradients of Σ scale · nats go into `gradients` and `dh`.

    h is in the dtype of the block; `dh`, in another perhaps, is overwritten.
    """
    count, symbols = len(h), len(block.weight)
    rows = rows_held(symbols, h.dtype)
    held = h.new_empty(min(rows, count), symbols)
    nats = h.new_empty(count, dtype=_sums(h))
    for start in range(0, count, rows):
        part = slice(start, start + rows)
        some, chosen = h[part], targets[part, None]
        p = block.logits(some, held[: len(some)])
        torch.softmax(p, 1, out=p)
        right = p.gather(1, chosen)
        nats[part] = _nats(right[:, 0], some, block, chosen)
        p.scatter_(1, chosen, right - 1)
        if scale is not None:
            p.mul_(scale[part, None])
        dh[part] = torch.mm(p, block.weight)
        gradients.add(p, some)
    gradients.finish()
    return nats


def surprisals(h: Rows, block: Block, targets: Symbols) -> Float[Tensor, " rows"]:
    """−log p of each target in nats, `[rows]`."""
    rows = rows_held(len(block.weight), h.dtype)
    found = [_exact(some, block, chosen) for some, chosen in zip(h.split(rows), targets.split(rows), strict=True)]
    return torch.cat(found)


def _nats(p: Tensor, h: Rows, block: Block, targets: Tensor) -> Tensor:
    """−log p, computed anew for rows whose p is too small to have its digits."""
    p = p.to(_sums(p))
    nats = -p.log()
    lost = (p < TINY).nonzero()[:, 0]
    if len(lost):
        nats[lost] = surprisals(h[lost], block, targets[lost, 0])
    return nats


def _exact(h: Rows, block: Block, targets: Symbols) -> Tensor:
    logits = block.logits(h, h.new_empty(len(h), len(block.weight)))
    logits = logits.to(_sums(logits))
    torch.log_softmax(logits, 1, out=logits)
    return -logits.gather(1, targets[:, None])[:, 0]


def _sums(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32
