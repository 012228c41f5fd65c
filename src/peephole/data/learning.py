"""The vocabulary of a corpus, learnt from its training part alone."""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

from peephole.data.config import PIECES, TextData
from peephole.data.measuring import Measure
from peephole.data.split import TRAIN, Split
from peephole.data.tokenizer import Tokenizer
from peephole.data.tokens import pieces
from peephole.data.tokens.blocks import Blocks
from peephole.data.tokens.cutting import cut_for
from peephole.data.tokens.scripts import refuse_without_spaces
from peephole.data.tokens.words import ready, tokens_of
from peephole.errors import InputError

# Characters that byte-pairs are learnt from at most, taken at even distances: some twenty seconds of one core, and some
# hundred megabytes for the words. More text hardly changes which pairs are frequent.
LEARNT = 1 << 25

ONCE = 0.4  # of all words: in a text of ten thousand words it is a fifth, and less in longer ones

logger = logging.getLogger(__name__)


def learn(data: TextData, split: Split, measure: Measure) -> tuple[Tokenizer, dict[str, Any]]:
    """A tokenizer, and in JSON's types what it was made of: `tokens`, `cut`, `types` seen, `kept` of them.

    Raises:
        InputError: a cut-off that leaves nothing, fewer tokens than the vocabulary was to have, or text whose words
            nobody can tell by spaces.
    """
    if data.tokens == "word":
        return _words(data, split, measure)
    if data.tokens == "bpe":
        return _pieces(data, split, measure)
    tokenizer = Tokenizer.characters(measure.counts, data.unknown, data.min_count)
    kept = sum(count >= data.min_count for count in measure.counts.values())
    if not kept:
        raise InputError(_nothing_left("character", data.min_count))
    return tokenizer, {"tokens": "char", "cut": None, "types": len(measure.counts), "kept": kept}


def _words(data: TextData, split: Split, measure: Measure) -> tuple[Tokenizer, dict[str, Any]]:
    refuse_without_spaces(measure.counts, measure.sample)
    cut = cut_for(measure.sample, data.words)
    counts: Counter[str] = Counter()
    blocks = Blocks(ready)
    for text in _training(split):
        for block, begins in blocks(text):
            counts.update(tokens_of(block, cut, begins))
    total = counts.total()
    counts.pop("\n", None)
    if data.vocabulary is not None and total < data.vocabulary:
        raise InputError(
            f"the training part has {total:,} words: expected more than the {data.vocabulary:,} different ones of "
            "--vocabulary; lower it, or give more text"
        )
    tokenizer = Tokenizer.words(counts, cut, data.vocabulary, data.min_count)
    kept = len(tokenizer) - 3
    if not kept:
        raise InputError(_nothing_left("word", data.min_count))
    once = sum(count == 1 for count in counts.values())
    if kept == len(counts) and once > ONCE * total:
        logger.warning(
            "%s of %s words of the training part stand there only once; nothing is learnt of those: --min-count 2 "
            "makes them unknown, --tokens bpe spells them",
            f"{once:,}",
            f"{total:,}",
        )
    if data.vocabulary is not None and kept + 2 < data.vocabulary:
        logger.warning(
            "%s different words in the training part make a vocabulary of %s, not of %s",
            f"{len(counts):,}",
            f"{kept + 2:,}",
            f"{data.vocabulary:,}",
        )
    return tokenizer, {"tokens": "word", "cut": cut, "types": len(counts), "kept": kept}


def _nothing_left(what: str, times: int) -> str:
    return f"no {what} stands {times} times in the training part: expected {what}s that recur; lower --min-count"


def _pieces(data: TextData, split: Split, measure: Measure) -> tuple[Tokenizer, dict[str, Any]]:
    size = sum(measure.counts.values())
    if data.vocabulary is not None and size < data.vocabulary:
        raise InputError(
            f"the training part has {size:,} characters: expected more than the {data.vocabulary:,} pieces of "
            "--vocabulary; lower it, or give more text"
        )
    asked = PIECES if data.vocabulary is None else data.vocabulary
    tokenizer = Tokenizer.pieces(_blocks(split, min(1.0, LEARNT / size)), asked, data.min_count)
    made = len(tokenizer) - 1
    if data.vocabulary is not None and made < asked:
        logger.warning(
            "the training part has pairs for a vocabulary of %s pieces, not of %s", f"{made:,}", f"{asked:,}"
        )
    return tokenizer, {"tokens": "bpe", "cut": None, "types": made, "kept": made}


def _blocks(split: Split, share: float) -> Iterator[str]:
    """The training part in blocks that end between pieces: every one, or at even distances a `share` of them."""
    blocks = Blocks(pieces.ready)
    taken = seen = 0
    for text in _training(split):
        for block, _ in blocks(text):
            seen += len(block)
            if taken <= share * seen:
                taken += len(block)
                yield block


def _training(split: Split) -> Iterator[str | None]:
    return (piece for part, piece in split.pieces() if part == TRAIN)
