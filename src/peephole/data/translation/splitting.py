"""Which pairs are held out to choose by, where no file is named for it."""

from collections import Counter
from collections.abc import Iterable

from peephole.data.translation.sentences import SentencePair
from peephole.errors import InputError


def held_out_digests(pairs: Iterable[SentencePair], share: float) -> frozenset[bytes]:
    """The digests of the pairs to hold out, about `share` of all.

    In the order of the digests, so that the choice depends on no order of files, and all translations of a sentence
    land on the same side.

    Raises:
        InputError: all pairs have the same sentence, so that none can be held out.
    """
    counts = Counter(pair.digest for pair in pairs)
    if len(counts) < 2:
        raise InputError(
            f"none of {counts.total()} pairs can be held out: expected at least two different sentences; give more "
            "data, or files by --held-out"
        )
    aim = max(1, round(share * counts.total()))
    chosen: set[bytes] = set()
    held = 0
    for digest in sorted(counts)[:-1]:  # one stays to learn from
        if held >= aim:
            break
        chosen.add(digest)
        held += counts[digest]
    return frozenset(chosen)
