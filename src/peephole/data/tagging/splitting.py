"""Which sentences are held out to choose by, where no file is named for it."""

from collections import Counter
from collections.abc import Iterable

from peephole.data.tagging.sentences import Sentence
from peephole.errors import InputError


def held_out_digests(sentences: Iterable[Sentence], share: float) -> frozenset[bytes]:
    """The digests of the sentences to hold out, about `share` of all.

    In the order of the digests, so that the choice depends on no order of files, and sentences with the same words land
    on the same side. Every label stays in training: a sentence that has the last of one is learnt from.

    Raises:
        InputError: no sentence can be held out, because all have the same words or each has labels that no other has.
    """
    counts: Counter[bytes] = Counter()  # of sentences with the same words
    labels: dict[bytes, Counter[str]] = {}  # in how many of them each label stands
    left: Counter[str] = Counter()  # the same of all sentences that are learnt from
    for sentence in sentences:
        digest, own = sentence.digest, set(sentence.labels)
        counts[digest] += 1
        labels.setdefault(digest, Counter()).update(own)
        left.update(own)
    aim = max(1, round(share * counts.total()))
    chosen: set[bytes] = set()
    held = 0
    for digest in sorted(counts):
        if held >= aim:
            break
        if all(left[label] > count for label, count in labels[digest].items()):
            left -= labels[digest]
            chosen.add(digest)
            held += counts[digest]
    if not chosen:
        raise InputError(
            f"none of {counts.total()} sentences can be held out: all have the same words, or labels that no other "
            "has; expected several that differ, with an empty line between them; give more data or --held-out"
        )
    return frozenset(chosen)
