"""Reading a text with what was lately read: a cache, weights that adapt, or both; and how to set them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.errors import InputError
from peephole.models.language.model import LanguageModel
from peephole.tasks.text.cache import ContinuousCache, with_cache
from peephole.tasks.text.dynamic import Adapting
from peephole.tasks.text.layout import Layout

LANES, STEPS = 16, 64  # read side by side where nothing adapts, and steps of a block
CONTEXT = 512  # steps read before those that are scored, besides what fills a cache

States = tuple[Tensor, ...]
Read = Callable[[Tensor, Tensor, States | None, Tensor | None], tuple[Tensor, Tensor, States]]


@dataclass(frozen=True)
class CacheSettings:
    """A cache of `size` pairs; its sharpness (θ of the paper) and its share of the probability (λ): None to choose."""

    size: int
    sharpness: float | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"--cache is {self.size}; expected at least 1 token, for example 2000")
        if self.sharpness is not None and not 0 <= self.sharpness < np.inf:
            raise InputError(f"--cache-sharpness is {self.sharpness}; expected 0 or more, for example 0.3")
        if self.share is not None and not 0 < self.share < 1:
            raise InputError(f"--cache-share is {self.share}; expected a share between 0 and 1, for example 0.1")


@dataclass(frozen=True)
class DynamicSettings:
    """Steps of `rate` after each window of `window` tokens, and the decay back to what was trained: None to choose."""

    rate: float | None = None
    decay: float | None = None
    window: int = 20

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 <= self.rate < np.inf:
            raise InputError(f"--dynamic-rate is {self.rate}; expected 0 or more, for example 0.0003")
        if self.decay is not None and not 0 <= self.decay <= 1:
            raise InputError(f"--dynamic-decay is {self.decay}; expected 0 (never back) to 1, for example 0.003")
        if self.window < 1:
            raise InputError(f"--dynamic-window is {self.window}; expected at least 1 token")


@dataclass(frozen=True, eq=False)
class Paid:
    """What a text cost: nats of each target `[N − 1]`, and what a cache gave it, `[K, N − 1]` of K sharpnesses."""

    nats: Tensor
    cached: Tensor | None

    def total(self, counts: NDArray[np.bool_], share: float | None = None, which: int = 0) -> float:
        """Sum in nats over the targets that count; with `share` that of the cache, of the sharpness at that place."""
        nats = self.nats
        if share is not None:
            assert self.cached is not None
            nats = with_cache(nats, self.cached[which], share)
        return float(nats[torch.from_numpy(counts)].sum())


def read_plainly(
    model: LanguageModel,
    tokens: NDArray[np.unsignedinteger],
    eod: int,
    size: int,
    sharpness: Sequence[float],
) -> Paid:
    """A text by the model as it is and a cache of `size` pairs.

    Long texts are read in lanes, each from so far before what is scored that its cache is full by then.
    """
    context = max(CONTEXT, size)
    lanes = min(max((len(tokens) - 1) // (4 * context), 1), LANES)
    layout = Layout.of(tokens, eod, lanes, context)
    training = model.training
    model.eval()
    try:
        return _paid(partial(_read, model), model, layout, len(tokens) - 1, STEPS, ContinuousCache(size, sharpness))
    finally:
        model.train(training)


def read_adapting(
    adapting: Adapting,
    tokens: NDArray[np.unsignedinteger],
    eod: int,
    window: int,
    cache: ContinuousCache | None = None,
) -> Paid:
    """A text from its beginning to its end by weights that adapt, and a cache where one is given."""
    return _paid(adapting.read, adapting.net, Layout.of(tokens, eod), len(tokens) - 1, window, cache)


@torch.no_grad()
def _read(
    model: LanguageModel, inputs: Tensor, targets: Tensor, states: States | None, begins: Tensor | None
) -> tuple[Tensor, Tensor, States]:
    found, states = model.features(inputs, states, begins)
    return model.softmax.surprisals(found.flatten(0, 1), targets.flatten()).view_as(targets), found, states


def _paid(
    read: Read, net: LanguageModel, layout: Layout, targets: int, steps: int, cache: ContinuousCache | None
) -> Paid:
    nats = torch.empty(targets, dtype=torch.float64)
    cached: Tensor | None = None
    states: States | None = None
    device = net.head.weight.device
    for block in layout.blocks(steps):
        inputs, following, begins = (each[block].to(device) for each in (layout.inputs, layout.targets, layout.begins))
        found, read_states, states = read(inputs, following, states, begins if bool(begins.any()) else None)
        places = layout.places[block]
        scored = places >= 0
        nats[places[scored]] = found.cpu().double()[scored]
        if cache is not None:
            given = cache.read(read_states, following, begins).cpu().double()
            cached = torch.full((len(given), targets), torch.nan, dtype=torch.float64) if cached is None else cached
            cached[:, places[scored]] = given[:, scored]
    return Paid(nats, cached)
