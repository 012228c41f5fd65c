"""What turns sentences into numbers and answers back into text, learnt from the training part alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.tokens.cutting import cut_for
from peephole.data.translation.config import Cut, TranslationData
from peephole.data.translation.sentences import SentencePair, clean
from peephole.data.translation.vocabulary import END, FIRST, SPECIAL, UNKNOWN, Token, Vocabulary

TIMES, FEWEST = 4, 100  # tokens that are read at most: of so many of the longest sentence of training, or so many


@dataclass(frozen=True)
class TranslationEncoding:
    """Two vocabularies, and how a sentence is read.

    Attributes:
        source, target: the tokens of each language; the same where they are joint.
        lower: whether everything is lower case.
        reverse: whether a sentence is read from its end.
        longest: tokens of the longest sentence of training.
    """

    source: Vocabulary
    target: Vocabulary
    lower: bool
    reverse: bool
    longest: int = 0

    @classmethod
    def learn(cls, pairs: Sequence[SentencePair], data: TranslationData) -> "TranslationEncoding":
        """From the pairs of the training part."""
        sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
        cut = cut_for(chain(sources, targets), data.words)
        if data.joint:
            source = target = Vocabulary.learn([*sources, *targets], data, cut)
        else:
            source, target = Vocabulary.learn(sources, data, cut), Vocabulary.learn(targets, data, cut)
        return cls(source, target, data.lower, data.reverse)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "TranslationEncoding":
        """What `as_dict` gave."""
        target = Vocabulary.from_dict(saved["target"])
        source = target if saved["source"] is None else Vocabulary.from_dict(saved["source"])
        return cls(source, target, bool(saved["lower"]), bool(saved["reverse"]), int(saved["longest"]))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file; a joint vocabulary stands there once."""
        return {
            "source": None if self.source is self.target else self.source.as_dict(),
            "target": self.target.as_dict(),
            "lower": self.lower,
            "reverse": self.reverse,
            "longest": self.longest,
        }

    @property
    def cut(self) -> Cut:
        """What a word is."""
        return self.target.cut

    def clean(self, text: str) -> str:
        """A text as all texts of training are."""
        return clean(text, self.lower)

    @property
    def most(self) -> int:
        """Tokens of a sentence that are read at most: so far beyond those of training a net only makes things up."""
        return max(FEWEST, TIMES * self.longest)

    def inputs(self, sources: Sequence[str]) -> list[NDArray[np.int32]]:
        """The numbers `[T]` of each clean sentence, `most` at most, in the order of reading, with an end."""
        return [self.as_read(ids[: self.most]) for ids in self.source.ids(sources)]

    def targets(self, targets: Sequence[str]) -> list[NDArray[np.int32]]:
        """The numbers `[U]` of each clean translation, with an end."""
        return [self.as_answer(ids) for ids in self.target.ids(targets)]

    def as_read(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """The order in which a sentence is read, and an end."""
        return np.append(ids[::-1] if self.reverse else ids, np.int32(END))

    @staticmethod
    def as_answer(ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """What is answered token by token: all of them, and an end."""
        return np.append(ids, np.int32(END))

    def read_tokens(self, source: str) -> list[Token]:
        """The tokens of a clean sentence, `most` at most, in the order in which they are read, and an end."""
        found = self.source.spelled(source)[: self.most]
        return [*(found[::-1] if self.reverse else found), Token(SPECIAL[END].strip(), END)]

    def name(self, number: int) -> str:
        """What a token of an answer is called."""
        return self.target.symbols[number].strip()

    def text(self, ids: Iterable[int], unknown: Sequence[str] = ()) -> str:
        """The text of an answer up to its end; what takes the place of its unknown tokens, in order, or `<unk>`."""
        places = iter(unknown)
        spelled: list[str] = []
        for number in ids:
            if number == END:
                break
            if number == UNKNOWN:
                spelled.append(next(places, SPECIAL[UNKNOWN].strip()))
            elif number >= FIRST:
                spelled.append(self.target.symbols[number])
        return self.target.text(spelled)
