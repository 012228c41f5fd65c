"""The memory horizon: how far back a flow reaches, with an interval."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.errors import InputError

OVERFLOWN = 1e300  # stands for a flow that left its dtype's range


@dataclass(frozen=True)
class Horizon:
    """The first lag at which the mean flow is under `fraction` of that at lag 0; None where it is not within `longest`.

    `low` and `high` bound it with 95 % confidence over the rows of the batch (percentiles of a bootstrap, Efron 1979).
    """

    lag: int | None
    low: int | None
    high: int | None
    fraction: float
    longest: int

    @property
    def text(self) -> str:
        """The lag and its interval, `12 (11 to 14)`."""
        beyond = f"more than {self.longest}"
        low, high = (beyond if lag is None else str(lag) for lag in (self.low, self.high))
        if self.low is None:
            return beyond
        return f"{beyond if self.lag is None else self.lag} ({low} to {high})"

    @property
    def verdict(self) -> str:
        """The horizon as a sentence."""
        return f"The mean flow falls under {self.fraction:.3g} of that at lag 0 after {self.text} steps."


def find_horizon(
    by_lag: Float[Tensor, "lags batch"], fraction: float = 0.01, resamples: int = 1000, seed: int = 0
) -> Horizon:
    """The horizon of flows `[lags, B]`, NaN where a row does not reach as far."""
    if not 0.0 < fraction < 1.0:
        raise InputError(f"fraction is {fraction}; expected a share of the flow at lag 0, more than 0 and less than 1")
    if resamples < 1:
        raise InputError(f"resamples is {resamples}; expected at least 1")
    flows, longest = by_lag.double().cpu(), by_lag.shape[0] - 1
    known = (~flows.isnan()).double()
    flows = flows.nan_to_num(nan=0.0, posinf=OVERFLOWN)
    generator = torch.Generator().manual_seed(seed)
    batch = flows.shape[1]
    drawn = torch.randint(0, batch, (resamples, batch), generator=generator)
    times = torch.zeros(resamples, batch, dtype=torch.float64)
    times.scatter_add_(1, drawn, torch.ones_like(times))  # how often each row was drawn
    first, *others = (_first_under(flows, known, weights, fraction) for weights in (torch.ones(1, batch), times))
    spread = others[0].sort().values
    low, high = spread[int(0.025 * (resamples - 1))], spread[-1 - int(0.025 * (resamples - 1))]
    lag, low, high = (None if int(one) > longest else int(one) for one in (first[0], low, high))
    return Horizon(lag, low, high, fraction, longest)


def _first_under(flows: Tensor, known: Tensor, weights: Tensor, fraction: float) -> Tensor:
    """For each weighting `[R, B]` the first lag at which the mean is under the fraction; the number of lags if none."""
    weights = weights.double()
    means = (flows @ weights.t()) / (known @ weights.t())  # [lags, R]; NaN where no drawn row reaches
    under = (means < fraction * means[0]) | (means[0] == 0)  # where nothing flows, nothing reaches anywhere
    return torch.where(under.any(0), under.int().argmax(0), len(flows))
