"""Where a token stands: in its word, or in its sentence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peephole.data.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class Places:
    """Place of each token of a text, from 1 on, `[tokens]`; 0 of what stands between.

    Attributes:
        numbers: the places.
        within: in what, `word` of characters, else `sentence`.
        between: what has none: spaces and the like, or line ends.
    """

    numbers: NDArray[np.int64]
    within: str
    between: str


def places_of(tokenizer: Tokenizer, tokens: NDArray[np.unsignedinteger]) -> Places:
    """Of characters in words, which spaces part; of words and pieces in sentences, which end with a full stop or such.

    A line end, and the end of a document, end a sentence too, and are in none.
    """
    symbols = range(len(tokenizer))
    if tokenizer.unit == "characters":
        between = np.array([text.isspace() for text in tokenizer.symbols])
        ends, within, called = between, "word", "space"
    else:
        between = np.array([number == tokenizer.eos for number in symbols])
        ends, within, called = np.array(list(map(tokenizer.ends_sentence, symbols))), "sentence", "line end"
    between[tokenizer.eod] = True
    last = np.where((ends | between)[tokens], np.arange(len(tokens)), -1)
    before = np.maximum.accumulate(np.concatenate([[-1], last[:-1]]))  # the last end before each token
    return Places(np.where(between[tokens], 0, np.arange(len(tokens)) - before), within, called)
