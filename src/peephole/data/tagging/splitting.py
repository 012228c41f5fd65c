"""Which sentences are held out to choose by, where no file is named for it."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from peephole.data.tagging.sentences import Sentence
from peephole.errors import InputError


def split(sentences: Sequence[Sentence], share: float) -> tuple[list[Sentence], list[Sentence]]:
    """Training and held-out sentences, each in the order in which they stand; about `share` of them are held out.

    In the order of the hash of their words, so that the choice depends on no order of files, and sentences with the
    same words land on the same side. Every label stays in training: a sentence that has the last of one is learnt from.

    Raises:
        InputError: no sentence can be held out, because all have the same words or each has labels that no other has.
    """
    groups: dict[str, list[Sentence]] = {}
    for sentence in sentences:
        groups.setdefault(_digest(sentence), []).append(sentence)
    left = _labels(sentences)
    aim = max(1, round(share * len(sentences)))
    chosen: set[str] = set()
    held = 0
    for content in sorted(groups):
        own = _labels(groups[content])
        if held < aim and all(left[label] > count for label, count in own.items()):
            left -= own
            chosen.add(content)
            held += len(groups[content])
    if not chosen:
        raise InputError(
            f"none of {len(sentences)} sentences can be held out: all have the same words, or labels that no other has;"
            " expected several that differ; give more data or --held-out"
        )
    train = [sentence for sentence in sentences if _digest(sentence) not in chosen]
    return train, [sentence for sentence in sentences if _digest(sentence) in chosen]


def _digest(sentence: Sentence) -> str:
    return hashlib.sha256("\n".join(sentence.words).encode()).hexdigest()


def _labels(sentences: Sequence[Sentence]) -> Counter[str]:
    """In how many sentences each label stands."""
    return Counter(label for sentence in sentences for label in set(sentence.labels))
