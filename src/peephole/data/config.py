"""The settings of a text corpus. Imports nothing heavy: `peephole --help` shows them without loading torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from peephole.errors import InputError

Split = Literal["auto", "position", "file"]
Tokens = Literal["char"]
Unknown = Literal["symbol", "bytes"]


@dataclass(frozen=True)
class TextData:
    """Which text to read, how to cut it into tokens, and what to hold out.

    Raises:
        InputError: a setting lies outside its range.
    """

    # Text files, or folders that are searched for them. Default: the source of the running Python's own standard
    # library, because every machine has it and it is text that one can judge by eye.
    files: tuple[Path, ...] = ()

    # How the bytes of the files spell characters. Nearly all text is utf-8; a file that is not is refused rather than
    # guessed at.
    encoding: str = "utf-8"

    # Within folders, take only files whose names end so, for example .txt; else every file that is text. Files
    # named one by one are always taken.
    suffixes: tuple[str, ...] = ()

    # A string that ends a document within a file; it is dropped from the text, and the state of the net starts anew
    # after it. \n in it is a line break on the command line. Without one, a file is one document.
    separator: str | None = None

    # Share of the text kept from training and used to measure, between 0 and 1. A tenth is enough to measure with
    # from about 100,000 characters on.
    held_out: float = 0.1

    # What is held out: whole files (file), or the end of the text (position). auto: by file when there are several,
    # because a file's end is easier for a net that has read its beginning; else by position.
    split: Split = "auto"

    # What a token is. A character needs no training of its own and loses nothing.
    tokens: Tokens = "char"

    # Characters rarer than this in the training part count as unknown; 1 keeps every character seen.
    min_count: int = 1

    # What becomes of a character that training never saw: one <unk> symbol, or its UTF-8 bytes, which loses nothing.
    # symbol is usual, because 256 byte tokens that are hardly trained widen the output of a small model.
    unknown: Unknown = "symbol"

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out is {self.held_out}: expected a share between 0 and 1, for example 0.1")
        if self.min_count < 1:
            raise InputError(f"min_count is {self.min_count}: expected 1 (keep every character) or more")
        if self.separator == "":
            raise InputError("separator is empty: expected the string between two documents; leave it out for none")
        for name, kind in (("split", Split), ("tokens", Tokens), ("unknown", Unknown)):
            if getattr(self, name) not in get_args(kind):
                raise InputError(f"{name} is {getattr(self, name)!r}: expected one of {', '.join(get_args(kind))}")
