"""The tokens of a text beside how each stands in it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from peephole.data.tokenizer import Tokenizer
from peephole.data.tokens.blocks import Blocks
from peephole.data.tokens.words import ready, tokens_of

Read = tuple[NDArray[np.unsignedinteger], list[str]]


def written(tokenizer: Tokenizer) -> Callable[[str | None], Read]:
    """A function that takes a document in parts and gives the tokens that are certain by then: ids, and the text that
    each completes; None ends the document.

    Of words the text is as it stood there, also of what the vocabulary lacks; where these are cut at spaces, marks are
    set apart first, as the vocabulary's text has them. Characters that are unknown are `<unk>`; of one that is spelled
    in several tokens the last has it, and the others are empty.
    """
    if tokenizer.kind == "word":
        return _words(tokenizer)
    encode, spell = tokenizer.encoder(), tokenizer.speller()

    def read(text: str | None) -> Read:
        ids = encode(text)
        return ids, [spell(token) for token in ids.tolist()]

    return read


def tokens_in(tokenizer: Tokenizer, text: str) -> Read:
    """The tokens of a whole text, as `written` gives them."""
    read = written(tokenizer)
    some, last = read(text), read(None)
    return np.concatenate([some[0], last[0]]), some[1] + last[1]


def _words(tokenizer: Tokenizer) -> Callable[[str | None], Read]:
    blocks, encode = Blocks(ready), tokenizer.encoder()
    spaces = tokenizer.cut == "spaces"

    def read(text: str | None) -> Read:
        found = [(tokenizer.apart(block), begins) for block, begins in blocks(text)]
        words = [word for block, begins in found for word in tokens_of(block, "spaces" if spaces else "split", begins)]
        if spaces:  # any block can be encoded by itself
            parts = [tokenizer.encode(block) for block, _ in found]
            return np.concatenate(parts) if parts else np.empty(0, tokenizer.dtype), words
        return encode(text), words

    return read
