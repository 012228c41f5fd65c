"""The settings of labelled sentences. Imports nothing heavy: `peephole --help` shows them without loading torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from peephole.errors import InputError

Format = Literal["auto", "conllu", "columns"]

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
KEYED = ("feats", "misc")  # columns of key=value pairs, of which one key can be the label


@dataclass(frozen=True)
class TaggingData:
    """Which labelled sentences to read, which column is the label, and what to measure with.

    Raises:
        InputError: a setting lies outside its range.
    """

    # Training files: CoNLL-U, or a word and its label in columns, with an empty line between sentences.
    files: tuple[Path, ...] = ()

    # Files to choose by: when to stop, which settings. Without one, --held-out-share of the training sentences.
    held_out: tuple[Path, ...] = ()

    # Files that are measured once, in the end, and never chosen by.
    test: tuple[Path, ...] = ()

    # Share of the training sentences to choose by where no file is held out. A tenth leaves nearly all to learn from.
    held_out_share: float = 0.1

    # How files are written: conllu has ten columns; columns are parted by tabs, else by spaces. auto looks at the first
    # word of each.
    format: Format = "auto"

    # Label of a word. Of CoNLL-U a name such as upos, xpos, deprel, or misc:NER and feats:Case for one key; else a
    # column's number from 1, or from the end with -1 for the last. auto: upos, or the last column.
    column: str = "auto"

    # Column of the word itself in column files.
    word_column: int = 1

    # What stands for a label where CoNLL-U has none: `_`, or a key that the word lacks. O is usual for --column
    # misc:NER.
    missing: str = "_"

    # How the bytes of the files spell characters.
    encoding: str = "utf-8"

    # Look words up without regard to capitals, so that the first word of a sentence is no other word; the characters,
    # which are read beside it, keep them.
    lower: bool = True

    # Words and characters seen less often in training share one vector. A word seen once teaches its vector nothing
    # that its characters do not say, and the shared vector needs words to learn from.
    min_count: int = 2

    # Characters of a word that are read; of longer ones the first and the last half. Nearly all are shorter.
    longest_word: int = 24

    # Leave sentences that are malformed, or of the held-out and test part those with a label that training lacks, out
    # and say so, in place of refusing the file.
    skip: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.held_out_share < 1:
            raise InputError(
                f"--held-out-share is {self.held_out_share}; expected a share between 0 and 1, for example 0.1"
            )
        for name, least in (("min_count", 1), ("longest_word", 2), ("word_column", 1)):
            if getattr(self, name) < least:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected at least {least}")
        if self.format not in get_args(Format):
            raise InputError(f"--format is {self.format!r}; expected one of {', '.join(get_args(Format))}")
        if not self.missing:
            raise InputError("--missing is empty; expected the label of words that have none, for example O")
        name, _, key = self.column.partition(":")
        named = name in KEYED if key else self.column in ("auto", *CONLLU[2:])
        if not named and _number(self.column) == 0:
            raise InputError(
                f"--column is {self.column!r}; expected {', '.join(CONLLU[2:])}, misc:KEY or feats:KEY of CoNLL-U, or "
                "a column's number from 1 (-1 is the last)"
            )


def _number(text: str) -> int:
    """The number of a column, 0 where it is none."""
    try:
        return int(text)
    except ValueError:
        return 0
