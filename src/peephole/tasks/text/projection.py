"""The input projection of a language model: the vectors that it has made of its one-hot symbols."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peephole.embed.vectors import Vectors
from peephole.errors import InputError
from peephole.tasks.text.model import TextModel

BLOCK = 1 << 22  # tokens counted at a time


def vectors_of(model: TextModel) -> Vectors:
    """The row of every symbol that training had, as it is spelled, and how often; `<eod>` and `<unk>` are left out.

    Where the text of the run is gone nothing is known of counts, and all symbols are there. `InputError` where fewer
    than two are left.
    """
    tokenizer = model.tokenizer
    rows = model.model.embedding.weight.detach().to("cpu").float().numpy()
    counts = _counts(model)
    kept = np.ones(len(tokenizer), bool) if counts is None else counts > 0
    kept[[tokenizer.eod, tokenizer.unk]] = False
    places = np.flatnonzero(kept)
    if len(places) < 2:
        raise InputError(f"training had {len(places)} symbols; expected two at least to be near each other")
    words = spellings([tokenizer.symbols[place] for place in places.tolist()])
    return Vectors(words, rows[places].copy(), None if counts is None else counts[places])


def spellings(symbols: Sequence[str]) -> tuple[str, ...]:
    """Symbols as people type them: without the space before a word; what has none, and a twin with one, gets a +."""
    typed = {symbol[1:] for symbol in symbols if symbol.startswith(" ") and len(symbol) > 1}
    names = [symbol[1:] if symbol[:1] == " " and len(symbol) > 1 else symbol for symbol in symbols]
    return tuple(
        f"+{name}" if name == symbol and name in typed else name for name, symbol in zip(names, symbols, strict=True)
    )


def _counts(model: TextModel) -> NDArray[np.int64] | None:
    try:
        tokens = model.corpus.train.tokens
    except InputError:
        return None
    found = np.zeros(len(model.tokenizer), dtype=np.int64)
    for start in range(0, len(tokens), BLOCK):
        found += np.bincount(tokens[start : start + BLOCK], minlength=len(found))
    return found
