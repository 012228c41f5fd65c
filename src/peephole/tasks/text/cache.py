"""A continuous cache: what came lately comes again."""

from collections.abc import Sequence

import torch
from torch import Tensor


class ContinuousCache:
    """The last `size` pairs of a state and the token that followed it, for each of several lanes.

    p_cache(w | h_t) is proportional to the sum of exp(sharpness · h_t·h_i) over those pairs (h_i, x_{i+1}) with
    x_{i+1} = w (Grave, Joulin & Usunier 2017, Improving neural language models with a continuous cache, section 3). A
    pair is of use from the step after it on, within its own document. Exact: all pairs of the window count, in products
    of a block of steps with the window. Memory is that of `size` states a lane and of one block.
    """

    def __init__(self, size: int, sharpness: Sequence[float]) -> None:
        """`sharpness`: one or more to try at once, 0 or above."""
        self._size, self._sharpness = size, list(sharpness)
        self._kept: tuple[Tensor, Tensor, Tensor] | None = None

    @torch.no_grad()
    def read(self, states: Tensor, targets: Tensor, begins: Tensor) -> Tensor:
        """p_cache of each target, `[K, T, B]` for K sharpnesses, NaN where the cache is empty; then keeps the pairs.

        `states` `[T, B, H]`, `targets` int64 `[T, B]`; `begins`, bool `[T, B]`, where a document begins.
        """
        steps = len(targets)
        own = states.detach().float().transpose(0, 1), targets.T, begins.T.long().cumsum(1)
        if self._kept is None:
            self._kept = own[0][:, :0], own[1][:, :0], own[2][:, :0]
        older = self._kept
        if older[2].shape[1]:  # documents are numbered on
            own = own[0], own[1], own[2] + older[2][:, -1:]
        keys, words, documents = (torch.cat(pair, 1) for pair in zip(older, own, strict=True))  # [B, P, H], [B, P]
        pairs = words.shape[1]
        places = torch.arange(pairs, device=words.device)
        ages = places[pairs - steps :, None] - places  # [T, P]
        usable = (ages > 0) & (ages <= self._size) & (own[2][..., None] == documents[:, None])  # [B, T, P]
        alike = own[0] @ keys.transpose(1, 2)
        most = alike.masked_fill(~usable, -torch.inf).amax(-1, keepdim=True)
        alike -= most.nan_to_num(neginf=0.0)
        right = own[1][..., None] == words[:, None]
        found: list[Tensor] = []
        for sharpness in self._sharpness:
            weights = (alike * sharpness).exp().masked_fill(~usable, 0.0)
            found.append(((weights * right).sum(-1) / weights.sum(-1)).T)  # of nothing 0 / 0
        self._kept = keys[:, -self._size :], words[:, -self._size :], documents[:, -self._size :]
        return torch.stack(found)


def with_cache(nats: Tensor, cached: Tensor, share: float) -> Tensor:
    """−ln ((1 − share) · p + share · p_cache) from −ln p; where the cache is empty −ln p."""
    mixed = -torch.log((1 - share) * (-nats).exp() + share * cached)
    return torch.where(cached.isnan(), nats, mixed)
