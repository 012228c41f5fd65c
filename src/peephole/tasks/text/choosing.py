"""What a cache and adapting weights are set to where nobody says: the best of a small grid on held-out text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from peephole.tasks.text.adapting import CacheSettings, DynamicSettings, Paid

SHARPNESSES = (0.03, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
RATES = (3e-5, 1e-4, 3e-4, 6e-4)
DECAYS = (0.0, 0.003, 0.01)
FIRST_DECAY = 0.003  # with which rates are tried; decays are tried with the best of them


@dataclass(frozen=True)
class Tried:
    """A pair of settings and the mean nats a token that it gave."""

    first: float
    second: float
    nats: float


def sharpnesses(settings: CacheSettings) -> Sequence[float]:
    """Those to read with."""
    return SHARPNESSES if settings.sharpness is None else (settings.sharpness,)


def choose_cache(
    settings: CacheSettings, paid: Paid, counts: NDArray[np.bool_]
) -> tuple[CacheSettings, tuple[Tried, ...]]:
    """The best sharpness and share, of a reading with all `sharpnesses`, and what each pair gave."""
    shares = SHARES if settings.share is None else (settings.share,)
    total = int(counts.sum())
    tried = tuple(
        Tried(sharpness, share, paid.total(counts, share, which) / total)
        for (which, sharpness), share in product(enumerate(sharpnesses(settings)), shares)
    )
    best = min(tried, key=lambda one: one.nats)
    return replace(settings, sharpness=best.first, share=best.second), tried


def choose_dynamic(
    settings: DynamicSettings, read: Callable[[float, float], Paid], counts: NDArray[np.bool_]
) -> tuple[DynamicSettings, tuple[Tried, ...], Paid]:
    """The best rate and decay, what each pair gave that was tried, and the reading by the best."""
    rates = RATES if settings.rate is None else (settings.rate,)
    decays = DECAYS if settings.decay is None else (settings.decay,)
    first = FIRST_DECAY if settings.decay is None else settings.decay
    found: dict[tuple[float, float], Paid] = {}

    def nats(pair: tuple[float, float]) -> float:
        if pair not in found:
            found[pair] = read(*pair)
        total = found[pair].total(counts) / int(counts.sum())
        return total if np.isfinite(total) else np.inf  # too large a rate leads nowhere

    rate = min(rates, key=lambda rate: nats((rate, first)))
    decay = min(decays, key=lambda decay: nats((rate, decay)))
    tried = tuple(Tried(*pair, nats(pair)) for pair in sorted(found))
    return replace(settings, rate=rate, decay=decay), tried, found[rate, decay]
