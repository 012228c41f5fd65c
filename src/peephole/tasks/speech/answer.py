"""What a net hears: words with their times, and whole transcripts."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Word:
    """A word that is heard. `start` and `end` in seconds, `confidence` the probability of its units at their peaks."""

    text: str
    start: float
    end: float
    confidence: float

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "word": self.text,
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "confidence": round(self.confidence, 4),
        }


@dataclass(frozen=True)
class HeardWord:
    """A word of a recording that is still being read."""

    name: str
    word: Word

    @property
    def text(self) -> str:
        """Columns parted by tabs: the recording, seconds from start to end, the word."""
        return f"{self.name}\t{self.word.start:.2f}-{self.word.end:.2f}\t{self.word.text}"

    def as_dict(self) -> dict[str, Any]:
        return {"recording": self.name, **self.word.as_dict()}


@dataclass(frozen=True)
class Transcript:
    """All words of a recording."""

    name: str
    words: tuple[Word, ...]

    @property
    def transcript(self) -> str:
        """The words with a space between them."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """The mean of its words'; of no word 1."""
        return sum(word.confidence for word in self.words) / len(self.words) if self.words else 1.0

    @property
    def text(self) -> str:
        """Columns parted by tabs: the recording and what is said in it."""
        return f"{self.name}\t{self.transcript}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "recording": self.name,
            "transcript": self.transcript,
            "confidence": round(self.confidence, 4),
            "words": [word.as_dict() for word in self.words],
        }
