"""Which text is trained on and which is held out, decided before anything is encoded, and the stream of both parts."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from peephole.data.config import TextData
from peephole.data.files import read_text
from peephole.errors import InputError

TRAIN, HELD_OUT = 0, 1

logger = logging.getLogger(__name__)


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
    """The two parts of a corpus: lists of whole files, or one list cut after `cut` characters of its documents."""

    kind: Literal["file", "position"]
    train: tuple[SourceFile, ...]
    held_out: tuple[SourceFile, ...]
    cut: int
    encoding: str
    separator: str | None

    def pieces(self) -> Iterator[tuple[int, str | None]]:
        """The text of both parts as `(TRAIN or HELD_OUT, text)`; None instead of text ends a document."""
        if self.kind == "file":
            for part, files in enumerate((self.train, self.held_out)):
                for piece in documents(files, self.encoding, self.separator):
                    yield part, piece
            return
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


def choose(files: Sequence[SourceFile], data: TextData) -> Split:
    """Decide what is held out.

    By file: whole files with about `held_out` of the bytes, in the order of the hash of their content. So the choice
    depends neither on names nor on order, and copies of one file land on the same side. By position: the cut leaves
    `held_out` of the characters, and moves on to the next document where `separator` cuts the text into several, unless
    that would leave less than half of what was asked for.

    Raises:
        InputError: too little text, or files that cannot be told apart.
    """
    if data.split == "file" and len(files) == 1:
        raise InputError(f"{files[0].path} is one file: splitting by file needs two; pass --split position")
    if data.split == "position" or len(files) == 1:
        cut = _position(files, data)
        return Split("position", tuple(files), (), cut, data.encoding, data.separator)
    chosen = _chosen_contents(files, data.held_out)
    train = tuple(file for file in files if file.sha256 not in chosen)
    held_out = tuple(file for file in files if file.sha256 in chosen)
    share = sum(file.size for file in held_out) / sum(file.size for file in files)
    if not data.held_out / 2 <= share <= data.held_out * 2:
        logger.warning(
            "whole files hold out %.1f %% of the text, not %.1f %%; --split position comes closer",
            100 * share,
            100 * data.held_out,
        )
    return Split("file", train, held_out, 0, data.encoding, data.separator)


def _chosen_contents(files: Sequence[SourceFile], share: float) -> set[str]:
    """Hashes of the contents to hold out: each in turn, if it brings the bytes held out nearer to the share."""
    sizes: dict[str, int] = {}
    for file in files:
        sizes[file.sha256] = sizes.get(file.sha256, 0) + file.size
    if len(sizes) == 1:
        raise InputError(f"all {len(files)} files have the same content: nothing differs to hold out; pass one of them")
    aim = share * sum(sizes.values())
    chosen: set[str] = set()
    held = 0
    for content in sorted(sizes):
        if abs(held + sizes[content] - aim) < abs(held - aim):
            chosen.add(content)
            held += sizes[content]
    smallest = min(sizes, key=lambda content: (sizes[content], content))
    if not chosen:
        return {smallest}
    return chosen - {smallest} if len(chosen) == len(sizes) else chosen


def _position(files: Sequence[SourceFile], data: TextData) -> int:
    """After how many characters of the documents to cut: at least one stays on each side."""
    total = sum(len(piece) for piece in documents(files, data.encoding, data.separator) if piece)
    if total < 2:
        raise InputError(f"the text has {total} characters: expected two or more, one to train on and one to hold out")
    cut = min(max(round(total * (1 - data.held_out)), 1), total - 1)
    if data.separator is None:
        return cut
    seen = 0
    for piece in documents(files, data.encoding, data.separator):
        seen += len(piece or "")
        if piece is None and seen >= cut:
            return seen if 2 * (total - seen) >= total - cut else cut
    return cut


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
