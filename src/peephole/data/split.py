"""The parts of a corpus: which files, or which end of them, and the stream of their text."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from peephole.data.files import read_text
from peephole.errors import InputError

PARTS = ("train", "held_out", "test")
TRAIN, HELD_OUT, TEST = range(3)


@dataclass(frozen=True)
class SourceFile:
    """A file as it was when the corpus was made: `size` in bytes, time of its last change in nanoseconds."""

    path: Path
    size: int
    sha256: str
    modified: int

    @classmethod
    def of(cls, path: Path) -> "SourceFile":
        """Read `path` through once. InputError where it cannot be read."""
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                return cls(path, file.tell(), digest, path.stat().st_mtime_ns)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}): expected a text file") from None

    def changed(self) -> bool:
        """Whether the file is no longer what it was, as far as its size and time tell."""
        try:
            now = self.path.stat()
        except OSError:
            return True
        return (now.st_size, now.st_mtime_ns) != (self.size, self.modified)


@dataclass(frozen=True)
class Split:
    """The parts of a corpus: lists of whole files, or one list cut after `cut` characters of its documents.

    `kind` says how the held-out part was chosen. The test part is always of whole files, or empty.
    """

    kind: Literal["file", "position", "named"]
    train: tuple[SourceFile, ...]
    held_out: tuple[SourceFile, ...]
    test: tuple[SourceFile, ...]
    cut: int
    encoding: str
    separator: str | None

    def pieces(self) -> Iterator[tuple[int, str | None]]:
        """The text of all parts as `(TRAIN, HELD_OUT or TEST, text)`; None instead of text ends a document."""
        if self.kind == "position":
            yield from self._cut_pieces()
        for part, files in enumerate((() if self.kind == "position" else self.train, self.held_out, self.test)):
            for piece in documents(files, self.encoding, self.separator):
                yield part, piece

    def part_of(self, file: SourceFile) -> str:
        """The name of the part that a file is in; both, where it is cut."""
        if file in self.test:
            return PARTS[TEST]
        if self.kind == "position":
            return "both"
        return PARTS[HELD_OUT if file in self.held_out else TRAIN]

    def _cut_pieces(self) -> Iterator[tuple[int, str | None]]:
        seen = 0
        for piece in documents(self.train, self.encoding, self.separator):
            if piece is None:
                yield TRAIN if seen <= self.cut else HELD_OUT, None
                continue
            before = max(self.cut - seen, 0)
            if piece[:before]:
                yield TRAIN, piece[:before]
            if piece[before:]:
                yield HELD_OUT, piece[before:]
            seen += len(piece)


def documents(files: Iterable[SourceFile], encoding: str, separator: str | None) -> Iterator[str | None]:
    """The documents of `files` in pieces, each document ended by None; documents without a character are left out."""
    for file in files:
        has_text = False
        for piece in _between(read_text(file.path, encoding), separator):
            if piece:
                has_text = True
                yield piece
            elif piece is None and has_text:
                has_text = False
                yield None


def _between(chunks: Iterable[str], separator: str | None) -> Iterator[str | None]:
    """What `"".join(chunks).split(separator)` gives, in pieces, with None after each part."""
    if separator is None:
        yield from chunks
        yield None
        return
    kept = ""  # the end of what was read, where a separator may have begun
    for chunk in chunks:
        *whole, rest = (kept + chunk).split(separator)
        for part in whole:
            yield part
            yield None
        begins = max(len(rest) - len(separator) + 1, 0)
        yield rest[:begins]
        kept = rest[begins:]
    yield kept
    yield None
