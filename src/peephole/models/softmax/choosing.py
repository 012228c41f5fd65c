"""Which softmax a configuration gets."""

from peephole.models.language.config import LanguageConfig
from peephole.models.softmax.adaptive import AdaptiveSoftmax
from peephole.models.softmax.cutoffs import cheapest_cutoffs
from peephole.models.softmax.linear import FullSoftmax
from peephole.models.softmax.sampled import SampledSoftmax

MANY_SYMBOLS = 1 << 14  # from which on a full softmax takes most of a step


def softmax_of(config: LanguageConfig, width: int, symbols: int) -> FullSoftmax | AdaptiveSoftmax:
    """The head that chooses among `symbols` from `width` numbers, as `config.softmax` says."""
    kind = config.softmax
    if kind == "auto":
        kind = "sampled" if symbols >= MANY_SYMBOLS else "full"
    cutoffs = config.cutoffs or cheapest_cutoffs(symbols)
    if kind == "adaptive" and cutoffs:
        return AdaptiveSoftmax(width, symbols, cutoffs)
    if kind == "sampled" and config.samples < symbols:
        return SampledSoftmax(width, symbols, config.samples)
    return FullSoftmax(width, symbols)
