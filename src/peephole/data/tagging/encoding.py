"""What turns words into numbers and numbers back into labels, learnt from the training part alone."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int32, Int64
from numpy.typing import NDArray

from peephole.data.tagging.config import TaggingData
from peephole.data.tagging.sentences import Sentence
from peephole.data.tagging.spans import are_spans
from peephole.errors import InputError

UNKNOWN = 0  # the id of a word that training lacks
NOTHING, RARE, FIRST = 0, 1, 2  # ids of characters: none there, one that training hardly has, the first of all others


@dataclass(frozen=True)
class TaggingEncoding:
    """Words, characters and labels with their numbers.

    Attributes:
        words: every word of training, the most frequent first; the id of the first is 1. Lower case where `lower`.
        frequent: the first so many of them were seen often enough for a vector of their own.
        characters: those of training that are no rarer; the id of the first is 2.
        labels: sorted; the first is 0.
        longest_word: characters that are read of a word.
        lower: whether words are looked up without regard to capitals.
    """

    words: tuple[str, ...]
    frequent: int
    characters: tuple[str, ...]
    labels: tuple[str, ...]
    longest_word: int
    lower: bool

    @classmethod
    def learn(cls, sentences: Iterable[Sentence], data: TaggingData) -> "TaggingEncoding":
        """From the sentences of the training part."""
        words: Counter[str] = Counter()
        characters: Counter[str] = Counter()
        labels: set[str] = set()
        longest = 1
        for sentence in sentences:
            words.update(word.lower() if data.lower else word for word in sentence.words)
            for word in sentence.words:
                characters.update(word)
                longest = max(longest, len(word))
            labels.update(sentence.labels)
        return cls(
            words=tuple(_by_frequency(words, 1)),
            frequent=sum(count >= data.min_count for count in words.values()),
            characters=tuple(_by_frequency(characters, data.min_count)),
            labels=tuple(sorted(labels)),
            longest_word=min(longest, data.longest_word),
            lower=data.lower,
        )

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "TaggingEncoding":
        """What `as_dict` gave."""
        lists = {name: tuple(found[name]) for name in ("words", "characters", "labels")}
        return cls(**{**found, **lists})

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        found = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    @cached_property
    def spans(self) -> bool:
        """Whether labels spell spans, as B-, I- and O do, so that whole spans can be right or wrong."""
        return are_spans(self.labels)

    def inputs(self, words: Iterable[str]) -> Int32[np.ndarray, "time one_and_characters"]:
        """Of each word its id, 0 where training lacks it, and those of its characters, with zeros after the last."""
        rows = [[self.word_id(word), *self._spelled(word)] for word in words]
        return np.array(rows, dtype=np.int32).reshape(-1, 1 + self.longest_word)

    def targets(self, sentence: Sentence) -> Int64[np.ndarray, " time"]:
        """The numbers of its labels; `InputError`, with file and line, for one that training lacks."""
        place = self.unknown_label(sentence)
        if place is not None:
            raise InputError(
                f"{sentence.place(place)}: the label {sentence.labels[place]!r} is not in the training files; expected "
                f"{_listed(self.labels)}; correct it, or leave such sentences out with --skip"
            )
        return np.array([self._label_ids[label] for label in sentence.labels], dtype=np.int64)

    def unknown_label(self, sentence: Sentence) -> int | None:
        """The first word whose label training lacks; None where there is none."""
        places = (place for place, label in enumerate(sentence.labels) if label not in self._label_ids)
        return next(places, None)

    def word_id(self, word: str) -> int:
        """0 where training lacks the word."""
        return self._word_ids.get(word.lower() if self.lower else word, UNKNOWN)

    def names(self, ids: NDArray[np.integer]) -> list[str]:
        """The labels of numbers `[T]`."""
        return [self.labels[number] for number in ids.tolist()]

    def _spelled(self, word: str) -> list[int]:
        longest = self.longest_word
        if len(word) > longest:  # endings say most of what a word is, beginnings some of it
            word = word[: longest // 2] + word[len(word) - (longest - longest // 2) :]
        ids = [self._character_ids.get(character, RARE) for character in word]
        return ids + [NOTHING] * (longest - len(ids))

    @cached_property
    def _word_ids(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, UNKNOWN + 1)}

    @cached_property
    def _character_ids(self) -> dict[str, int]:
        return {character: number for number, character in enumerate(self.characters, FIRST)}

    @cached_property
    def _label_ids(self) -> dict[str, int]:
        return {label: number for number, label in enumerate(self.labels)}


def _by_frequency(counts: Counter[str], least: int) -> list[str]:
    """The most frequent first, those that are equally so in alphabetical order."""
    kept = [text for text, count in counts.items() if count >= least]
    return sorted(kept, key=lambda text: (-counts[text], text))


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
