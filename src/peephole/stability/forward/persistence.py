"""How long the units of a layer stay as they are: autocorrelation on the input, and what a nudge leaves in them."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peephole.stability.recordings.passage import Passage
from peephole.stability.steps import Linearised, linearise

LEVEL = 0.36787944117144233  # 1/e
NOTHING = 0.01  # less is as good as nothing, and its logarithm is noise where an autocorrelation changes its sign
NUMBERS_TOGETHER = 2**24  # of the gates' tangents that one step holds
STILL = 100  # a unit whose spread is under so many units of rounding does not move


def autocorrelation(
    values: Float[Tensor, "time batch units"], alive: Bool[Tensor, "time batch 1"] | None, longest: int
) -> Float[Tensor, "lags units"]:
    """Σ x_t x_{t+ℓ} over Σ x_t², each divided by its number of pairs, about the mean over steps and rows, for lags from
    0 to `longest`. Borders inside rows are crossed. NaN for a unit that does not move.
    """
    steps = len(values)
    mask = torch.ones_like(values[..., :1]) if alive is None else alive.to(values)
    count = mask.sum((0, 1))
    centred = (values - (values * mask).sum((0, 1)) / count) * mask

    def pairs(tensor: Tensor) -> Tensor:
        """Σ over rows and steps of what stands ℓ steps apart, `[longest + 1, ·]`; zeros behind keep ends apart."""
        power = torch.fft.rfft(tensor.double(), n=2 * steps, dim=0).abs().square().sum(1)
        return torch.fft.irfft(power, n=2 * steps, dim=0)[: longest + 1]

    covariance = pairs(centred) / pairs(mask).clamp_min(1.0)
    spread = centred.double().square().sum((0, 1)) / count
    limit = STILL * torch.finfo(values.dtype).eps * (values.abs() * mask).amax((0, 1)).double()
    still = spread.sqrt() <= limit
    return (covariance / spread.masked_fill(still, 1.0)).masked_fill(still, torch.nan)


@torch.no_grad()
def self_influence(passage: Passage, state: int, longest: int, starts: int) -> Float[Tensor, "lags units"]:
    """|∂s_i(k + ℓ)/∂s_i(k)| of the units of one state, mean over rows and up to `starts` times k, spread evenly, for
    lags from 0 to `longest`.

    The rows of the passage end together. A row counts from its first step on, and until a border inside it. A unit is
    followed until the mean is under 1/e in it and in those followed with it; NaN from there on.
    """
    linear = linearise(passage)
    room = passage.steps - longest + 1  # times from which `longest` steps follow
    stride = max(1, -(-room // starts))
    begun = torch.arange(room - 1, -1, -stride).flip(0).tolist()
    units = passage.sizes[state]
    rows = passage.weights["weight_ih"].shape[0]
    together = max(1, NUMBERS_TOGETHER // (len(begun) * passage.batch * rows))
    parts = [
        _influence(linear, state, chosen, begun, stride, longest)
        for chosen in torch.arange(units, device=passage.x.device).split(together)
    ]
    return torch.cat(parts, dim=1)


def _influence(linear: Linearised, state: int, units: Tensor, begun: list[int], stride: int, longest: int) -> Tensor:
    """Of some units, `[longest + 1, n]`."""
    passage = linear.passage
    like, shape = passage.x, (len(units), len(begun), passage.batch)  # n units, M starts, B rows
    tangents = tuple(like.new_zeros(*shape, size) for size in passage.sizes)
    tangents[state].scatter_(-1, units[:, None, None, None].expand(*shape, 1), 1.0)
    found = like.new_full((longest + 1, len(units)), torch.nan, dtype=torch.float64)
    counted: Tensor | None = None  # [M, B, 1]
    found[0] = 1.0
    for lag in range(1, longest + 1):
        at = slice(begun[0] + lag - 1, begun[-1] + lag, stride)
        if counted is None:
            counted = like.new_ones(len(begun), passage.batch, 1, dtype=torch.bool)
            counted = counted if passage.alive is None else passage.alive[at]
        counted = counted if passage.cut is None else counted & ~passage.cut[at]
        if not bool(counted.any()):
            break
        tangents = linear.push(at, tangents)
        own = tangents[state].take_along_dim(units[:, None, None, None], dim=-1)  # [n, M, B, 1]
        found[lag] = (own.abs().double() * counted).sum((1, 2, 3)) / counted.sum()
        if bool((found[: lag + 1] <= LEVEL).any(0).all()):
            break
    return found


def time_to_fall(curve: Float[Tensor, "lags units"]) -> tuple[Float[Tensor, "units"], Bool[Tensor, "units"]]:
    """The steps after which a curve that begins at 1 is first at 1/e, and whether it gets there.

    Between two lags it is taken as exponential, down to a hundredth. Where it never gets there: the last lag that is
    known, which the time exceeds; NaN where nothing is known.
    """
    known = ~curve.isnan()
    below = (curve <= LEVEL) & known
    reached = below.any(0)
    first = below.long().argmax(0).clamp_min(1)
    before, after = (curve.gather(0, place[None])[0].clamp_min(NOTHING).log() for place in (first - 1, first))
    passed = (first - 1) + (before + 1) / (before - after).masked_fill(~reached, 1.0)
    last = (known.sum(0) - 1).to(curve)
    return torch.where(reached, passed, last).masked_fill(~known.any(0), torch.nan), reached
