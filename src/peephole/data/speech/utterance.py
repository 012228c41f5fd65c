"""One recording and what is said in it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Utterance:
    """A recording as its table or folder names it.

    Attributes:
        path: of the recording.
        transcript: what is said, words with a space between them.
        place: where the transcript stands, `calls.tsv, line 12`.
        speaker: who says it; None where nothing tells.
    """

    path: Path
    transcript: str
    place: str
    speaker: str | None = None


@dataclass(frozen=True)
class Skipped:
    """Something that was left out, and why."""

    name: str
    reason: str
