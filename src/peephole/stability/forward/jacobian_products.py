"""Products of Jacobians back from the end of every row, and their singular values and directions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.timeline import some_rows
from peephole.stability.steps import linearise

NUMBERS_TOGETHER = 2**25  # of the gates' gradients that one step holds
RESCALED = 8  # steps between two rescalings: a product that grows leaves float32 after some eighty


@dataclass(frozen=True)
class Products:
    """Of D = ∂h(T)/∂h(T − ℓ) and of ∂s(T)/∂s(T − ℓ), in float64.

    `typical` `[longest + 1, B]`: ‖D‖_F / √H, what is left of a random direction, root mean square, at every lag. At the
    chosen lags: the singular `values` of D `[L, B, H]` and of the whole state `states` `[L, B, S]`, largest first; the
    directions of h(T − ℓ) that are kept best and worst, `grown` and `shrunk` `[L, B, n, H]`, each the most so first.
    """

    typical: Tensor
    values: Tensor
    states: Tensor
    grown: Tensor
    shrunk: Tensor


@torch.no_grad()
def multiply_back(passage: Passage, lags: Sequence[int], directions: int) -> Products:
    """Of a passage whose rows end together; the longest lag is at most its steps."""
    together = max(1, NUMBERS_TOGETHER // (sum(passage.sizes) * passage.weights["weight_ih"].shape[0]))
    parts = [
        _multiply_back(some_rows(passage, slice(start, start + together)), lags, directions)
        for start in range(0, passage.batch, together)
    ]
    joined = {
        name: torch.cat([getattr(part, name) for part in parts], dim=1)
        for name in ("typical", "values", "states", "grown", "shrunk")
    }
    return Products(**joined)


def _multiply_back(passage: Passage, lags: Sequence[int], directions: int) -> Products:
    linear, sizes, like = linearise(passage), passage.sizes, passage.x
    hidden, states = sizes[0], sum(sizes)
    identity = torch.eye(states, dtype=like.dtype, device=like.device)
    # The gradient of every state at the end, one in front of the other, on its way back: rows of ∂s(T)/∂s(T − ℓ).
    carried = tuple(part[:, None].repeat(1, passage.batch, 1) for part in identity.split(sizes, dim=-1))
    scale = like.new_zeros(passage.batch, dtype=torch.float64)  # log of what the rows were divided by
    typical, values, wholes, grown, shrunk = [], [], [], [], []
    for lag in range(max(lags) + 1):
        if lag:
            carried = linear.pull(passage.steps - lag, carried).before
        if lag % RESCALED == 0:
            carried, scale = _rescaled(carried, scale)
        block = carried[0][:hidden]  # ∂h(T)/∂h(T − ℓ) as [H, B, H]
        typical.append(_grow(torch.linalg.vector_norm(block.double(), dim=(0, 2)) / hidden**0.5, scale))
        if lag in lags:
            found = torch.linalg.svd(block.transpose(0, 1))
            values.append(_grow(found.S.double(), scale[:, None]))
            grown.append(found.Vh[:, :directions])
            shrunk.append(found.Vh.flip(1)[:, :directions])
            whole = torch.cat(carried, dim=-1).transpose(0, 1)
            wholes.append(_grow(torch.linalg.svdvals(whole).double(), scale[:, None]))
    return Products(*(torch.stack(part) for part in (typical, values, wholes, grown, shrunk)))


def _rescaled(carried: tuple[Tensor, ...], scale: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
    """Every row divided by its largest entry, whose log goes to its scale."""
    largest = torch.stack([part.abs().amax((0, 2)) for part in carried]).amax(0)  # [B]
    largest = largest.masked_fill(largest == 0, 1.0)
    return tuple(part / largest[:, None] for part in carried), scale + largest.double().log()


def _grow(values: Tensor, scale: Tensor) -> Tensor:
    """Values times e^scale, which may be large where a value is 0."""
    return (values.log() + scale).exp()
