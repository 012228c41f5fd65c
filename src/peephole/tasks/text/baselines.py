"""What a number is worth: the same text measured by n-grams and by xz."""

import lzma
import math

import numpy as np
from numpy.typing import NDArray

from peephole.models.ngram import NGram

ORDERS = {"unigram": 1, "bigram": 2, "5-gram": 5}
TRAINING_TOKENS = 5_000_000  # the end of the training part that baselines learn from; more cost minutes
XZ_PRESET = 6 | lzma.PRESET_EXTREME


def ngram_nats(
    training: NDArray[np.unsignedinteger], tokens: NDArray[np.unsignedinteger], vocabulary: int
) -> dict[str, float]:
    """Surprisal in nats of all of `tokens[1:]` by n-grams that learned from the end of `training`, by name."""
    learned = training[-TRAINING_TOKENS:]
    return {
        name: float(NGram.fit(learned, vocabulary, order).surprisal(tokens)[1:].sum()) for name, order in ORDERS.items()
    }


def xz_nats(training: str, text: str) -> float:
    """xz(training + text) − xz(training) in nats: what the text costs a compressor that has just read `training`."""
    before, after = training.encode(), (training + text).encode()
    return (
        8 * math.log(2) * (len(lzma.compress(after, preset=XZ_PRESET)) - len(lzma.compress(before, preset=XZ_PRESET)))
    )
