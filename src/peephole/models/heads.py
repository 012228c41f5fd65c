"""Heads: what the outputs of the recurrent layers become. An answer a step is `nn.Linear`; an answer a sequence is
`Pooled`.
"""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import dropout

from peephole.errors import InputError

Pool = Literal["last", "mean", "max", "mean-max", "attention"]


class Pooled(nn.Linear):
    """One answer a sequence: `head(y [T, B, width], lengths [B]) -> [1, B, outputs]`, a linear map of y pooled in time.

    - last: y at the last step of a row; of a net in both directions the forward half there and the backward half at the
      first step, where that direction ends.
    - mean, max: over the steps of a row; mean-max: both, side by side.
    - attention: a mean with weights softmax(v · tanh(y_t)) (Yang et al. 2016, without the inner projection).

    A row of length 0 is pooled to zeros. A share `rate` of what was pooled is dropped while training: of outputs of
    steps it would do little, for a mean over many steps hardly feels it.
    """

    def __init__(self, width: int, outputs: int, pool: Pool = "last", both: bool = False, rate: float = 0.0) -> None:
        if pool not in get_args(Pool):
            raise InputError(f"pool is {pool!r}; expected one of {', '.join(get_args(Pool))}")
        super().__init__(width * (2 if pool == "mean-max" else 1), outputs)
        self.pool: Pool = pool
        self.both = both  # directions, side by side in y
        self.rate = rate
        self.score: nn.Linear | None = nn.Linear(width, 1, bias=False) if pool == "attention" else None

    def pooled(
        self, y: Float[Tensor, "time batch width"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch pooled"]:
        """What the linear map reads."""
        steps, rows = y.shape[:2]
        ends = torch.full((rows,), steps, device=y.device) if lengths is None else lengths.to(y.device)
        alive = (torch.arange(steps, device=y.device)[:, None] < ends)[..., None]  # [T, B, 1]
        count = ends.clamp_min(1)[:, None].to(y.dtype)
        parts: list[Tensor] = []
        if self.pool == "last":
            last = y[ends.clamp_min(1) - 1, torch.arange(rows, device=y.device)]
            parts = [last]
            if self.both:
                half = y.shape[-1] // 2
                parts = [last[:, :half], y[0, :, half:]]
        if self.pool in ("mean", "mean-max"):
            parts.append((y * alive).sum(0) / count)
        if self.pool in ("max", "mean-max"):
            parts.append(torch.where(alive, y, -torch.inf).amax(0))
        if self.score is not None:
            scores = torch.where(alive, self.score(torch.tanh(y)), torch.finfo(y.dtype).min)
            parts.append((y * torch.softmax(scores, 0) * alive).sum(0))
        found = torch.cat(parts, -1).masked_fill(ends[:, None] == 0, 0.0)
        return dropout(found, self.rate, self.training)

    def forward(
        self, input: Float[Tensor, "time batch width"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "one batch outputs"]:
        return super().forward(self.pooled(input, lengths))[None]
