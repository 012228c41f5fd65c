"""A sentence with its translation, and what a reader says beside them."""

import hashlib
import unicodedata
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SentencePair:
    """A sentence and its translation as texts, and where they stand: `FILE, line N`."""

    source: str
    target: str
    place: str

    @property
    def digest(self) -> bytes:
        """The same for pairs with the same sentence, and as good as drawn by lot."""
        return hashlib.sha256(self.source.encode()).digest()[:16]


@dataclass
class Tally:
    """What was read: how many pairs, and what was left out because it could not be used, each with its reason."""

    pairs: int = 0
    skipped: list[str] = field(default_factory=list)


def clean(text: str, lower: bool) -> str:
    """One space between words and none around them, composed characters (Unicode's NFC), lower case if asked for."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return text.lower() if lower else text


def counted(count: int, thing: str) -> str:
    """`1 pair`, `1,204 pairs`."""
    return f"{count:,} {thing}{'s' * (count != 1)}"
