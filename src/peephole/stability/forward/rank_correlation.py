"""Spearman's rank correlation."""

from jaxtyping import Float
from torch import Tensor


def ranks(values: Float[Tensor, "values"]) -> Float[Tensor, "values"]:
    """1 for the smallest; equal values share the mean of their ranks."""
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - (counts - 1) / 2)[place]


def spearman(first: Float[Tensor, "values"], second: Float[Tensor, "values"]) -> float | None:
    """Pearson's correlation of the ranks (Spearman 1904), of the pairs in which neither is NaN; chance alone makes it
    about ± 1/√(n − 1).

    None where fewer than three pairs are left, or all values of one side are equal.
    """
    known = ~(first.isnan() | second.isnan())
    if int(known.sum()) < 3:
        return None
    one, other = (ranks(side[known]) for side in (first.double(), second.double()))
    one, other = one - one.mean(), other - other.mean()
    spread = one.square().sum() * other.square().sum()
    return float((one * other).sum() / spread.sqrt()) if float(spread) > 0 else None
