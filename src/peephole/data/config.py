"""The settings of a text corpus. Imports nothing heavy: `peephole --help` shows them without loading torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from peephole.errors import InputError

Split = Literal["auto", "position", "file", "named"]
Tokens = Literal["char", "word", "bpe"]
Cut = Literal["spaces", "split"]
Words = Literal["auto", Cut]
Unknown = Literal["symbol", "bytes"]

PIECES = 8000  # of a vocabulary of pieces where nothing else is asked for
LEAST_PIECES = 257  # <unk> and a piece for every byte, without which some text could not be spelled


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

    # The text to measure with while training, and to choose the best weights by, where it is not to be cut from FILES.
    validation: tuple[Path, ...] = ()

    # Text that is neither learnt from nor chosen by: what the final score is measured on.
    test: tuple[Path, ...] = ()

    # Share of the text kept from training and used to measure, between 0 and 1. A tenth is enough to measure with
    # from about 100,000 characters on.
    held_out: float = 0.1

    # What is held out: what is called so (named: --validation, or files or folders called train, valid or dev, and
    # test), whole files (file), or the end of the text (position). auto: named where there is a training and a
    # validation part; else by file when there are several, because a file's end is easier for a net that has read its
    # beginning; else by position.
    split: Split = "auto"

    # What a token is. char: a character needs no training of its own and loses nothing. word: fewer and longer steps,
    # and the perplexities that papers give; rare words become one <unk>. bpe: byte-pairs (Sennrich et al. 2016), which
    # spell every text without loss in about four characters a piece.
    tokens: Tokens = "char"

    # What a word is. spaces: whatever stands between spaces, for text that is cut into words already. split: letters,
    # numbers and marks apart, for text as people write it; it is put back together as it was. auto: spaces where most
    # full stops and commas have one before them.
    words: Words = "auto"

    # Largest number of different words or pieces, <unk> and line ends included: the most frequent ones. Default: every
    # word that --min-count leaves, as published perplexities have it; 8000 pieces, of which a word of English Wikipedia
    # takes 1.3.
    vocabulary: int | None = None

    # Characters, words and merges of pieces rarer than this in the training part are left out, and count as unknown; 1
    # keeps everything seen (of merges, what was seen twice: a pair seen once is no pattern).
    min_count: int = 1

    # What becomes of a character that training never saw: one <unk> symbol, or its UTF-8 bytes, which loses nothing.
    # symbol is usual, because 256 byte tokens that are hardly trained widen the output of a small model.
    unknown: Unknown = "symbol"

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out is {self.held_out}: expected a share between 0 and 1, for example 0.1")
        if self.min_count < 1:
            raise InputError(f"min_count is {self.min_count}: expected 1 (keep everything seen) or more")
        if self.separator == "":
            raise InputError("separator is empty: expected the string between two documents; leave it out for none")
        for name, kind in (("split", Split), ("tokens", Tokens), ("words", Words), ("unknown", Unknown)):
            if getattr(self, name) not in _choices(kind):
                raise InputError(f"{name} is {getattr(self, name)!r}: expected one of {', '.join(_choices(kind))}")
        if self.validation and self.split not in {"auto", "named"}:
            raise InputError(f"split is {self.split} with validation: expected one of them; leave out --split")
        self._check_tokens()

    def _check_tokens(self) -> None:
        least = LEAST_PIECES if self.tokens == "bpe" else 3
        if self.vocabulary is not None and self.vocabulary < least:
            what = "<unk> and one for each byte" if self.tokens == "bpe" else "<unk>, the line end and a word"
            raise InputError(f"vocabulary is {self.vocabulary}: expected {least} ({what}) or more, for example 10000")
        if self.tokens == "char" and self.vocabulary is not None:
            raise InputError(
                f"vocabulary is {self.vocabulary} with tokens char: expected it with --tokens word or bpe; rare "
                "characters are left out with --min-count"
            )
        if self.tokens != "word" and self.words != "auto":
            raise InputError(f"words is {self.words} with tokens {self.tokens}: expected it with --tokens word only")
        if self.tokens != "char" and self.unknown != "symbol":
            raise InputError(
                f"unknown is {self.unknown} with tokens {self.tokens}: expected it with characters; "
                "--tokens bpe spells everything"
            )


def _choices(kind: object) -> list[str]:
    """What a `Literal` allows, those within it included."""
    return [choice for one in get_args(kind) for choice in (get_args(one) or [one])]
