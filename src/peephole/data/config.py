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

    files: tuple[Path, ...] = ()
    """Text files, or folders that are searched for them. Default: the source of the running Python's own standard
    library, because every machine has it and it is text that one can judge by eye."""

    encoding: str = "utf-8"
    """How the bytes of the files spell characters. Default: utf-8, as nearly all text is; a file that is not is
    refused rather than guessed at."""

    suffixes: tuple[str, ...] = ()
    """Within folders, take only files whose names end so, for example .txt. Default: every file that is text; files
    named one by one are always taken."""

    separator: str | None = None
    """A string that ends a document within a file; it is dropped from the text, and the state of the net starts anew
    after it. Default: none, a file is one document."""

    held_out: float = 0.1
    """Share of the text kept from training and used to measure, between 0 and 1. Default: a tenth, enough to measure
    with from about 100,000 characters on."""

    split: Split = "auto"
    """What is held out: whole files (file), or the end of the text (position). Default: auto, by file when there are
    several, because a file's end is easier for a net that has read its beginning; else by position."""

    tokens: Tokens = "char"
    """What a token is. Default: a character, which needs no training of its own and loses nothing."""

    min_count: int = 1
    """Characters rarer than this in the training part count as unknown. Default: 1, every character seen is kept."""

    unknown: Unknown = "symbol"
    """What becomes of a character that training never saw: one <unk> symbol, or its UTF-8 bytes, which loses nothing.
    Default: symbol, because 256 byte tokens that are hardly trained widen the output of a small model."""

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
