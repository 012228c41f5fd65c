"""Phrases: pairs of words that follow each other much more often than by chance, joined to one word.

Mikolov et al. 2013, Distributed representations of words and phrases and their compositionality, section 4. The score
of a pair is (count(ab) − δ) / (count(a) · count(b)), times the number of words of the text as in the authors' program,
so that one threshold fits texts of any length. A second pass over the joined text finds phrases of up to four words.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peephole.embed.corpus.vocabulary import LONGEST, Joiner, new_joiner, new_pairs, new_vocabulary
from peephole.errors import InputError

ROOM = 1 << 22  # different pairs that are counted in one pass over the text, in at most 200 MB

Text = Callable[[str], Iterator[bytes]]  # reads all of a text once more; the string says what for


@dataclass(frozen=True)
class Phrase:
    """Two words, joined: how often they followed each other, and by how much more than by chance.

    Attributes:
        number: of the pass that found it, from 1 on; later ones join what earlier ones found.
    """

    number: int
    first: str
    second: str
    count: int
    score: float

    @property
    def text(self) -> str:
        """As it stands in the text and in the vocabulary."""
        return f"{self.first}_{self.second}"


def find_phrases(text: Text, number: int, discount: int, threshold: float) -> tuple[Phrase, ...]:
    """The pairs of words whose score is larger than the threshold, the highest score first."""
    vocabulary = new_vocabulary()
    for block in text(f"words, pass {number}"):
        vocabulary.count(block)
    words = vocabulary.words
    vocabulary.cut(discount + 1, vocabulary.size)  # a pair comes at most as often as each of its words
    counts = vocabulary.counts()
    found: list[Phrase] = []
    waiting = [(1, 0)]
    while waiting:
        parts, part = waiting.pop()
        pairs = new_pairs(vocabulary, words, discount, threshold, ROOM, parts, part)
        for block in text(f"pairs, pass {number}"):
            pairs.count(block)
        waiting += [(pairs.parts, part + more) for more in range(parts, pairs.parts, parts)]
        first, second, together = pairs.frequent()
        scores = (together - discount) / counts[first] / counts[second] * words
        for place in np.flatnonzero(scores > threshold):
            spelled = vocabulary.word(int(first[place])), vocabulary.word(int(second[place]))
            if sum(map(len, spelled)) < LONGEST:
                one, other = (word.decode() for word in spelled)
                found.append(Phrase(number, one, other, int(together[place]), float(scores[place])))
    return tuple(sorted(found, key=lambda phrase: (-phrase.score, -phrase.count, phrase.text)))


def joiner_of(phrases: tuple[Phrase, ...]) -> Joiner:
    """One that joins these."""
    joiner = new_joiner()
    for phrase in phrases:
        joiner.add(phrase.first.encode(), phrase.second.encode())
    return joiner


def as_lines(phrases: tuple[Phrase, ...]) -> bytes:
    """A line a phrase: pass, first word, second word, count and score."""
    return "".join(f"{one.number} {one.first} {one.second} {one.count} {one.score!r}\n" for one in phrases).encode()


def read_phrases(path: Path) -> tuple[Phrase, ...]:
    """What `as_lines` wrote to a file; the passes in their order, in each the highest score first.

    Raises:
        InputError: a file that is not there or holds something else.
    """
    found: list[Phrase] = []
    try:
        for line in path.read_bytes().splitlines():
            number, first, second, count, score = line.split()
            found.append(Phrase(int(number), first.decode(), second.decode(), int(count), float(score)))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); prepare the text anew") from None
    except ValueError:
        raise InputError(f"{path}, line {len(found) + 1:,}: damaged; prepare the text anew") from None
    return tuple(found)
