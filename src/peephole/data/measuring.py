"""What a first pass over the text finds, in constant memory; bad bytes show here, before work."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from peephole.data.split import PARTS, TRAIN, Split
from peephole.data.tokens.characters import code_points

SAMPLE = 1 << 20  # characters of the training part that are looked at for how the text is written


@dataclass(frozen=True)
class Measure:
    """Sizes of the text; lists have one entry a part.

    Attributes:
        counts: how often each character stands in the training part.
        characters: how many each part has.
        words: what stands between spaces, and line ends: what a person counts.
        documents: how many, those included that a part has a piece of.
        cut_inside_document: whether the training part ends within one.
        sample: the beginning of each piece of the training part, about `SAMPLE` characters together.
    """

    counts: dict[str, int]
    characters: list[int]
    words: list[int]
    documents: list[int]
    cut_inside_document: bool
    sample: list[str] = field(default_factory=list)


def measure(split: Split, sampled: bool = False) -> Measure:
    """Read all of the text once; without a sample of it unless it is to be `sampled`."""
    counts = np.zeros(0x110000, dtype=np.int64)
    characters, words, documents = ([0 for _ in PARTS] for _ in range(3))
    sample: list[str] = []
    share = min(1.0, SAMPLE / sum(file.size for file in split.train))
    waiting: list[str] = []  # small documents are counted together: a count spans up to the largest code point
    train_is_open = False

    def count() -> None:
        found = np.bincount(code_points("".join(waiting)))
        counts[: len(found)] += found
        waiting.clear()

    for part, piece, goes_on in _with_ends(split):
        if part == TRAIN:
            train_is_open = piece is not None
        if piece is None:
            documents[part] += 1
            continue
        characters[part] += len(piece)
        words[part] += len(piece.split()) + piece.count("\n") - goes_on
        if part == TRAIN:
            if sampled:
                sample.append(piece[: int(len(piece) * share) + 1])
            waiting.append(piece)
            if len(waiting) == 256 or len(piece) > 4096:
                count()
    count()
    documents[TRAIN] += train_is_open
    found = {chr(point): int(counts[point]) for point in np.flatnonzero(counts)}
    return Measure(found, characters, words, documents, train_is_open, sample)


def _with_ends(split: Split) -> Iterator[tuple[int, str | None, bool]]:
    """The pieces of a split, and whether each goes on with the word that the one before it ended in."""
    before, ends_in_word = TRAIN, False
    for part, piece in split.pieces():
        goes_on = piece is not None and ends_in_word and part == before and not piece[0].isspace()
        yield part, piece, goes_on
        before, ends_in_word = part, piece is not None and not piece[-1].isspace()
