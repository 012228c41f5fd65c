"""What a number is worth: the same text measured by n-grams and by xz."""

import lzma
import math

import numpy as np
from numpy.typing import NDArray

from peephole.data.tokenizer import Tokenizer
from peephole.models.ngram import NGram

ORDERS = {"unigram": 1, "bigram": 2, "5-gram": 5}
LONGEST = "5-gram"
TRAINING_TOKENS = 5_000_000  # the end of the training part that baselines learn from; more cost minutes
XZ_PRESET = 6 | lzma.PRESET_EXTREME


def fit(training: NDArray[np.unsignedinteger], tokenizer: Tokenizer, order: int) -> NGram:
    """n-grams of a run's own tokens, up to `order` of them.

    Of words they do not reach over line ends, and the ends of documents are no tokens to them: as published n-gram
    models have it, and as in files of them. Of characters and pieces the text is one stream.
    """
    boundary, never = (tokenizer.eos, (tokenizer.eod,)) if tokenizer.unit == "words" else (None, ())
    return NGram.fit(training, len(tokenizer), order, boundary, never)


def xz_nats(training: str, text: str) -> float:
    """xz(training + text) − xz(training) in nats: what the text costs a compressor that has just read `training`.

    It spells: beside a model of words, to which how they are spelled is given, and for which one symbol stands for all
    that it does not know, its bits would be of something else.
    """
    before, after = training.encode(), (training + text).encode()
    return (
        8 * math.log(2) * (len(lzma.compress(after, preset=XZ_PRESET)) - len(lzma.compress(before, preset=XZ_PRESET)))
    )
