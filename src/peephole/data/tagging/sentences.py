"""Labelled sentences, and what a reader says beside them."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from peephole.errors import InputError


@dataclass(frozen=True)
class Sentence:
    """Words and their labels, `[T]` each, with the file that they stand in and the line of each, from 1."""

    words: tuple[str, ...]
    labels: tuple[str, ...]
    file: Path
    lines: tuple[int, ...]

    def place(self, step: int = 0) -> str:
        """Where the word at `step` stands: `FILE, line N`."""
        return f"{self.file}, line {self.lines[step]}"

    @property
    def digest(self) -> bytes:
        """The same for sentences with the same words, and as good as drawn by lot."""
        return hashlib.sha256("\n".join(self.words).encode()).digest()[:16]


@dataclass
class Tally:
    """What was read.

    Attributes:
        sentences, words: how many.
        passed: lines that are no words, by kind: `multiword tokens`, `empty nodes`, `document marks`.
        skipped: what was left out because it could not be used, each with file, line and reason.
    """

    sentences: int = 0
    words: int = 0
    passed: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)

    def add(self, sentence: Sentence) -> None:
        """Count a sentence."""
        self.sentences += 1
        self.words += len(sentence.words)


class LineError(Exception):
    """A line that is not as it should be: its number and what is wrong with it. Within the readers alone."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number, self.reason = number, reason

    def told(self, file: Path) -> InputError:
        """The same, as a user is told."""
        return InputError(f"{file}, line {self.number}: {self.reason}; mend the line, or pass --skip")
