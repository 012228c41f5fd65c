"""The settings of a text that words are learnt from. Imports nothing heavy: `peephole --help` shows them."""

import math
from dataclasses import dataclass
from pathlib import Path

from peephole.errors import InputError

MOST = 10**12


@dataclass(frozen=True)
class CorpusConfig:
    """Which text to read, and which of its words are learnt.

    Raises:
        InputError: a setting lies outside its range.
    """

    # Text files in UTF-8, compressed by gzip or not, or folders that are searched for them. Words are what stands
    # between spaces and line ends; a line is a sentence, one of more than 10,000 words several.
    files: tuple[Path, ...] = ()

    # Words that come fewer times are left out before windows are formed: too little is known of where they stand.
    min_count: int = 5

    # At most so many different words, the most frequent. Default: all that --min-count leaves.
    vocabulary: int | None = None

    # Read all letters as small ones, so that a word that begins a sentence is no other word.
    lowercase: bool = False

    # Passes over the text that join words to phrases, such as new_york (Mikolov et al. 2013, Distributed
    # representations of words and phrases); with each, phrases can grow to twice the length. 0: words as they stand
    # there.
    phrases: int = 0

    # How much more often than by chance two words must follow each other to be a phrase; less finds more. 100 is what
    # word2phrase takes.
    phrase_threshold: float = 100.0

    # So many times are taken off each pair's count, so that words that come rarely make no phrase by chance.
    phrase_min_count: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.min_count <= MOST:
            raise InputError(f"min_count is {self.min_count}: expected 1 (keep every word) to 10^12, for example 5")
        if self.vocabulary is not None and not 2 <= self.vocabulary <= MOST:
            raise InputError(f"vocabulary is {self.vocabulary}: expected 2 words to 10^12, for example 50000")
        if not 0 <= self.phrases <= 10:
            raise InputError(f"phrases is {self.phrases}: expected 0 (none) to 10 passes, for example 2")
        if not (math.isfinite(self.phrase_threshold) and self.phrase_threshold > 0):
            raise InputError(f"phrase_threshold is {self.phrase_threshold}: expected more than 0, for example 100")
        if not 0 <= self.phrase_min_count <= MOST:
            raise InputError(f"phrase_min_count is {self.phrase_min_count}: expected 0 to 10^12, for example 5")
