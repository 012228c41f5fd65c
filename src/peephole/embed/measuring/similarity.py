"""Similarity sets: pairs of words with what people said of how alike they are, beside the cosines of their vectors."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from peephole.embed.measuring.lookup import RESTRICT, Lookup
from peephole.embed.measuring.reading_lines import numbered_lines
from peephole.embed.measuring.similarity_found import Similarity, SimilaritySet
from peephole.embed.vectors import Vectors, unit
from peephole.errors import InputError
from peephole.stability.forward.rank_correlation import spearman

EXPECTED = "two words and a number a line, apart by a tab, spaces or commas, as in wordsim353.tsv"
LEAST = 3  # pairs, below which there is no order to speak of


@dataclass(frozen=True)
class Pair:
    """Two words, and how alike people find them, on whatever scale."""

    first: str
    second: str
    score: float


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """The pairs of a file. Lines that begin with # are passed over, and a header before the first pair.

    Raises:
        InputError: a file that cannot be read, holds no pair, or has a line that is none.
    """
    found: list[Pair] = []
    headers = 0
    for number, line in numbered_lines(path, EXPECTED):
        if line.startswith("#"):
            continue
        fields = [one.strip() for one in re.split("\t" if "\t" in line else "[,;]" if _commas(line) else " +", line)]
        score = _number(fields[2]) if len(fields) == 3 else None
        if score is not None and math.isfinite(score) and all(fields):
            found.append(Pair(fields[0], fields[1], score))
        elif found or headers or len(fields) < 3 or any(_number(field) is not None for field in fields):
            shown = line if len(line) <= 60 else f"{line[:60]}…"
            raise InputError(f"{path}: line {number:,} is {shown!r}; expected {EXPECTED}")
        else:
            headers += 1
    if not found:
        raise InputError(f"{path}: no pair of words in it; expected {EXPECTED}")
    return tuple(found)


def measure_similarity(
    vectors: Vectors, sets: Mapping[str, Sequence[Pair]], restrict: int = RESTRICT, match_case: bool = False
) -> Similarity:
    """Spearman's correlation of cosines with people's scores, of each set by its name.

    A pair is known if both words are among the `restrict` most frequent ones; the others are left out. Unless
    `match_case`, words are the same that differ in capitals alone.

    Raises:
        InputError: no set has three known pairs.
    """
    return judge(Lookup.of(vectors, restrict, match_case), sets)


def judge(lookup: Lookup, sets: Mapping[str, Sequence[Pair]]) -> Similarity:
    """`measure_similarity` on words that were looked up before."""
    found = tuple(_judged(lookup, name, pairs) for name, pairs in sets.items())
    if all(one.known < LEAST for one in found):
        total, first = sum(one.pairs for one in found), next(iter(sets.values()))[0]
        raise InputError(
            f"{sum(one.known for one in found)} of {total:,} pairs have both words among the {lookup.described} (the "
            f"first: {first.first} {first.second}); expected {LEAST} pairs at least, in their language and spelling"
        )
    return Similarity(found, len(lookup))


def _judged(lookup: Lookup, name: str, pairs: Sequence[Pair]) -> SimilaritySet:
    found = [(lookup.find(pair.first), lookup.find(pair.second)) for pair in pairs]
    known = [(first, second) for first, second in found if first is not None and second is not None]
    scores = np.array([pair.score for pair, places in zip(pairs, found, strict=True) if None not in places], np.float64)
    first, second = (unit(lookup.rows[[places[side] for places in known]].astype(np.float64)) for side in (0, 1))
    cosines = np.einsum("nm,nm->n", first, second) if known else np.zeros(0)
    correlation = spearman(torch.from_numpy(scores), torch.from_numpy(cosines)) if len(known) >= LEAST else None
    return SimilaritySet(name, len(pairs), correlation, scores, cosines)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _commas(line: str) -> bool:
    return len(re.split("[,;]", line)) >= 3
