"""What a text costs a model that may look back at it: with a cache, by dynamic evaluation, by both."""

from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.tasks.examples.scores import ScoreTable
from peephole.tasks.text.adapting import CacheSettings, DynamicSettings, Paid, read_adapting, read_plainly
from peephole.tasks.text.cache import ContinuousCache
from peephole.tasks.text.choosing import Tried, choose_cache, choose_dynamic, sharpnesses
from peephole.tasks.text.dynamic import Adapting, gradient_sizes
from peephole.tasks.text.model import TextModel
from peephole.tasks.text.passage import Passage, passage_of

CACHE_TOKENS = 1 << 15  # of the held-out part, on which a cache is set
DYNAMIC_TOKENS = 1 << 13  # on which rate and decay are, which takes a reading for each pair


@dataclass(frozen=True)
class Adapted:
    """What the same text costs by one way of looking back.

    Attributes:
        name: the way, in words.
        nats: sum over what counts.
        settings: what it was set to, by option.
        tried: pairs of settings that were tried where some were not given, of the options `names`.
        chosen_on: on what, in words.
    """

    name: str
    nats: float
    settings: dict[str, float]
    names: tuple[str, str] = ("", "")
    tried: tuple[Tried, ...] = ()
    chosen_on: str = ""

    def as_json(self) -> dict[str, Any]:
        """Settings, and what was tried, in JSON's types."""
        return {
            "settings": self.settings,
            "chosen_on": self.chosen_on or None,
            "tried": [dict(zip((*self.names, "nats_per_token"), astuple(one), strict=True)) for one in self.tried],
        }

    @property
    def table(self) -> ScoreTable:
        """What was tried."""
        rows = [(f"{one.first:g}", f"{one.second:g}", f"{one.nats:.4f}") for one in self.tried]
        return ScoreTable(f"{self.name}, chosen on {self.chosen_on}:", (*self.names, "nats a token"), tuple(rows))


def adapted(
    model: TextModel,
    passage: Passage,
    cache: CacheSettings | None = None,
    dynamic: DynamicSettings | None = None,
    extra: float = 0.0,
) -> tuple[Adapted, ...]:
    """The passage by each way that is asked for, and by both together; the run's weights stay as they are.

    `extra`: nats that unknown characters cost on top, in whatever way it is read.

    Raises:
        InputError: the run's text is gone, which adapting weights need, and settings that are not given.
    """
    _check_text(model, cache, dynamic)
    found: list[Adapted] = []
    if cache is not None:
        found.append(_with_cache(model, passage, cache))
    if dynamic is not None:
        found += _dynamically(model, passage, dynamic, cache)
    return tuple(replace(one, nats=one.nats + extra) for one in found)


def _with_cache(model: TextModel, passage: Passage, cache: CacheSettings) -> Adapted:
    eod = model.tokenizer.eod
    tried: tuple[Tried, ...] = ()
    trial = None
    if cache.sharpness is None or cache.share is None:
        trial = passage_of(model, part="held_out", limit=CACHE_TOKENS)
        paid = read_plainly(model.model, trial.tokens, eod, cache.size, sharpnesses(cache))
        cache, tried = choose_cache(cache, paid, trial.counts)
    paid = read_plainly(model.model, passage.tokens, eod, cache.size, sharpnesses(cache))
    return _cached(f"with a cache of {cache.size:,}", paid, passage, cache, tried, trial)


def _cached(
    name: str, paid: Paid, passage: Passage, cache: CacheSettings, tried: tuple[Tried, ...], trial: Passage | None
) -> Adapted:
    assert cache.sharpness is not None
    assert cache.share is not None
    settings = {"cache": float(cache.size), "cache_sharpness": cache.sharpness, "cache_share": cache.share}
    chosen_on = "" if trial is None else trial.described_beside(passage)
    nats = paid.total(passage.counts, cache.share)
    return Adapted(name, nats, settings, ("sharpness", "share"), tried, chosen_on)


def _dynamically(
    model: TextModel, passage: Passage, dynamic: DynamicSettings, cache: CacheSettings | None
) -> list[Adapted]:
    eod, window = model.tokenizer.eod, dynamic.window
    sizes = gradient_sizes(model.model, model.corpus.train, eod, window)

    def read(tokens: NDArray[np.unsignedinteger], rate: float, decay: float, cache: CacheSettings | None) -> Paid:
        kept = None if cache is None else ContinuousCache(cache.size, sharpnesses(cache))
        return read_adapting(Adapting(model.model, sizes, rate, decay), tokens, eod, window, kept)

    tried: tuple[Tried, ...] = ()
    tried_caches: tuple[Tried, ...] = ()
    trial = None
    open_cache = cache is not None and (cache.sharpness is None or cache.share is None)
    if dynamic.rate is None or dynamic.decay is None or open_cache:
        trial = passage_of(model, part="held_out", limit=DYNAMIC_TOKENS)
        tokens = trial.tokens
        dynamic, tried, paid = choose_dynamic(
            dynamic, lambda rate, decay: read(tokens, rate, decay, cache), trial.counts
        )
        if cache is not None and open_cache:
            cache, tried_caches = choose_cache(cache, paid, trial.counts)
    assert dynamic.rate is not None
    assert dynamic.decay is not None
    paid = read(passage.tokens, dynamic.rate, dynamic.decay, cache)
    settings = {"dynamic_rate": dynamic.rate, "dynamic_decay": dynamic.decay, "dynamic_window": float(window)}
    names = ("rate", "decay")
    chosen_on = "" if trial is None else trial.described_beside(passage)
    found = [Adapted("by dynamic evaluation", paid.total(passage.counts), settings, names, tried, chosen_on)]
    if cache is not None:
        name = f"by dynamic evaluation, with a cache of {cache.size:,}"
        both = _cached(name, paid, passage, cache, tried_caches, trial)
        found.append(replace(both, settings={**settings, **both.settings}))
    return found


def _check_text(model: TextModel, cache: CacheSettings | None, dynamic: DynamicSettings | None) -> None:
    """The run's text is there, or is not needed."""
    if model.run.data_folder.exists():
        return
    if dynamic is not None:
        raise InputError(
            f"{model.run.folder}: its text is gone (no folder data in it), and --dynamic measures gradients on the "
            "training part; restore that folder, or leave --dynamic away"
        )
    if cache is not None and (cache.sharpness is None or cache.share is None):
        raise InputError(
            f"{model.run.folder}: its text is gone (no folder data in it), and a cache is set on its held-out part; "
            "restore that folder, or give --cache-sharpness and --cache-share, for example 0.3 and 0.1"
        )
