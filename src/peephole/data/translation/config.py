"""The settings of parallel text. Imports nothing heavy: `peephole --help` shows them without loading torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from peephole.errors import InputError

Format = Literal["auto", "pairs", "tsv"]
Tokens = Literal["words", "pieces"]
Cut = Literal["spaces", "split"]
Words = Literal["auto", Cut]


@dataclass(frozen=True)
class TranslationData:
    """Which sentences and translations to read, and what a net reads and writes of them.

    Raises:
        InputError: a setting lies outside its range.
    """

    # What to learn from: a file of sentences and one of their translations, line by line (or several such pairs); or
    # tables of two columns parted by a tab.
    files: tuple[Path, ...] = ()

    # The same, to choose the best weights by. Without it a share of the pairs is held out.
    held_out: tuple[Path, ...] = ()

    # The same, never learned from and never chosen by: what the final score is measured on.
    test: tuple[Path, ...] = ()

    # Share of the pairs to choose by where no file is held out. A twentieth of some ten thousand is enough to tell
    # weights apart.
    held_out_share: float = 0.05

    # How files are written: pairs are two files a line each, tsv has both in a line. auto: by the name, .tsv, and a
    # single file is a table.
    format: Format = "auto"

    # Columns of the sentence and of its translation in a table with more than two, counted from 1.
    columns: tuple[int, int] | None = None

    # How the bytes of the files spell characters.
    encoding: str = "utf-8"

    # What a step is: pieces of words by byte-pair encoding (Sennrich et al. 2016), which spell every word; or whole
    # words, of which rare ones are unknown.
    tokens: Tokens = "pieces"

    # Largest number of different tokens of each language. Most of the time of a step goes into the choice among them;
    # with 5000, words of some ten thousand sentences are hardly cut (1.16 pieces a German word in Multi30k).
    vocabulary: int = 5000

    # Words, and characters of pieces, seen less often in training are unknown. A word seen once teaches its vector
    # nothing, and the vector of the unknown needs words to learn from.
    min_count: int = 2

    # One vocabulary for both languages, so that names are spelled alike on both sides. It pays between languages that
    # share many words and one alphabet.
    joint: bool = False

    # What a word is. spaces: whatever stands between spaces, for text that is cut into words already. split: letters,
    # numbers and marks apart, for text as people write it; it is put back together as it was. auto: spaces where most
    # full stops and commas have one before them.
    words: Words = "auto"

    # Make everything lower case, answers too. Right for little text, where capitals make rare words rarer.
    lower: bool = False

    # Leave pairs with a side of more tokens than this out of training, and say so. Batches cost what their longest
    # sentence costs, and such pairs are often no translations.
    longest_sentence: int = 80

    # Read sentences from their end, so that their beginning is near the beginning of the answer: without attention and
    # with --directions one it helps (Sutskever et al. 2014).
    reverse: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.held_out_share < 1:
            raise InputError(
                f"--held-out-share is {self.held_out_share}; expected a share between 0 and 1, for example 0.05"
            )
        for name, least in (("vocabulary", 10), ("min_count", 1), ("longest_sentence", 2)):
            if getattr(self, name) < least:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected at least {least}")
        for name, kind in (("format", Format), ("tokens", Tokens), ("words", Words)):
            if getattr(self, name) not in get_args(kind):
                raise InputError(f"--{name} is {getattr(self, name)!r}; expected one of {', '.join(get_args(kind))}")
        columns = (1, 2) if self.columns is None else self.columns
        if len(columns) != 2 or min(columns) < 1 or columns[0] == columns[1]:
            raise InputError(f"--columns is {columns}; expected two that differ, counted from 1, for example 1 2")
