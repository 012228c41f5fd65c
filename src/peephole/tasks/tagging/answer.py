"""What a net says of words: a label each, and how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from peephole.data.tagging.encoding import TaggingEncoding


@dataclass(frozen=True)
class TaggedWord:
    """A word with its label, and the probability that the net gives it."""

    word: str
    label: str
    confidence: float

    @property
    def text(self) -> str:
        """Columns parted by tabs, as they are read: word, label, confidence."""
        return f"{self.word}\t{self.label}\t{self.confidence:.4f}"

    def as_dict(self) -> dict[str, Any]:
        return {"word": self.word, "label": self.label, "confidence": round(self.confidence, 4)}


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence whose words all have labels."""

    words: tuple[TaggedWord, ...]

    @property
    def text(self) -> str:
        """A word a line, and an empty line after the last."""
        return "".join(f"{word.text}\n" for word in self.words)

    def as_dict(self) -> dict[str, Any]:
        return {
            "words": [word.word for word in self.words],
            "labels": [word.label for word in self.words],
            "confidences": [round(word.confidence, 4) for word in self.words],
        }


@dataclass(frozen=True)
class SentenceEnd:
    """The end of a sentence whose words were answered one by one."""

    words: int

    @property
    def text(self) -> str:
        return ""

    def as_dict(self) -> dict[str, Any]:
        return {"end": self.words}


def tagged(
    encoding: TaggingEncoding, words: Sequence[str], outputs: Float[Tensor, "time labels"]
) -> tuple[TaggedWord, ...]:
    """The likeliest label of each word; `outputs` are logits or log-probabilities."""
    confidences, places = outputs.softmax(-1).max(-1)
    labels = encoding.names(places.numpy())
    return tuple(map(TaggedWord, words, labels, confidences.tolist()))
