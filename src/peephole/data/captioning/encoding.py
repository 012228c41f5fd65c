"""What turns captions into numbers and numbers back into captions, learnt from the training part alone."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int64

from peephole.data.captioning.config import CaptioningData

END, UNKNOWN = 0, 1  # numbers of what stands behind a caption, and of a word that training hardly has
MARKS = ("<end>", "<unk>")


@dataclass(frozen=True)
class CaptioningEncoding:
    """Words with their numbers, and the size and colours of pictures.

    Attributes:
        words: `<end>`, `<unk>`, then those of training, the most frequent first.
        size: side of a picture in pixels.
        mean, scale: of red, green and blue over the training part, from 0 to 1.
        longest: words of a caption that are kept.
    """

    words: tuple[str, ...]
    size: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    longest: int

    @classmethod
    def learn(
        cls, captions: Iterable[Sequence[str]], mean: Sequence[float], scale: Sequence[float], data: CaptioningData
    ) -> "CaptioningEncoding":
        """From the words of each caption of the training part; a word counts once a caption."""
        counts: Counter[str] = Counter()
        for words in captions:
            counts.update(set(words))
        kept = [word for word, count in counts.items() if count >= data.min_count]
        kept.sort(key=lambda word: (-counts[word], word))
        return cls((*MARKS, *kept), data.size, tuple(mean), tuple(scale), data.longest_caption)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "CaptioningEncoding":
        """What `as_dict` gave."""
        return cls(**{**found, **{name: tuple(found[name]) for name in ("words", "mean", "scale")}})

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        found = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    @property
    def spoken_words(self) -> tuple[str, ...]:
        """The words that can be said."""
        return self.words[len(MARKS) :]

    def targets(self, words: Sequence[str]) -> Int64[np.ndarray, " words"]:
        """The numbers of a caption's words and the end; of one that is too long the first words, without an end."""
        numbers = [self._numbers.get(word, UNKNOWN) for word in words[: self.longest]]
        return np.array(numbers + [END] * (len(words) <= self.longest), np.int64)

    def spoken(self, numbers: Iterable[int]) -> list[str]:
        """The words of numbers up to the end."""
        words: list[str] = []
        for number in numbers:
            if number == END:
                break
            words.append(self.words[number])
        return words

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words) if number >= len(MARKS)}
