"""How closely states and gates go with properties: Pearson's r, of all units at once."""

import torch
from jaxtyping import Float
from torch import Tensor

UNITS_TOGETHER = 1 << 12  # looked at at a time, so that memory does not grow with the net
LEAST_DEVIATION = 1e-6  # of a unit; what moves less stands still


def correlations(
    properties: Float[Tensor, "time rows properties"], values: Float[Tensor, "time rows units"]
) -> Float[Tensor, "properties units"]:
    """r of each property with each unit over all steps and rows; 0 where one of them does not change."""
    seen = standardised(properties.flatten(0, 1).double())
    parts = values.flatten(0, 1).split(UNITS_TOGETHER, dim=1)
    return torch.cat([seen.t() @ standardised(part.double()) / len(seen) for part in parts], dim=1)


def standardised(values: Float[Tensor, "numbers columns"]) -> Float[Tensor, "numbers columns"]:
    """Each column with mean 0 and variance 1; zeros where it does not change."""
    centred = values - values.mean(0)
    deviation = centred.square().mean(0).sqrt()
    return torch.where(deviation > LEAST_DEVIATION, centred / deviation.clamp_min(LEAST_DEVIATION), 0.0)
