"""Whole words, each line ended by `<eos>`; what the vocabulary lacks is `<unk>`."""

import re
from collections.abc import Mapping, Sequence

import tokenizers
from tokenizers import models, pre_tokenizers

from peephole.data.config import Cut
from peephole.data.tokens.coding import END_OF_DOCUMENT, END_OF_LINE, UNKNOWN, Coding, Speller, in_order
from peephole.data.tokens.cutting import LIBRARY_PATTERN, pattern, words_of
from peephole.data.tokens.joining import Joiner, exact_joiner, taken_apart
from peephole.errors import InputError

# In the library's file each has a space after its name, which no word has: a text that spells "<eod>" does not end.
SPECIAL = tuple(f"{name} " for name in (END_OF_DOCUMENT, UNKNOWN, END_OF_LINE))


def ready(text: str) -> int:
    """How many characters of `text` are words that nothing can follow: up to its last line end or space."""
    return max(text.rfind("\n") + 1, text.rfind(" "))


def tokens_of(text: str, cut: Cut, begins: bool) -> list[str]:
    r"""The words of a block, with "\n" for each line end; one that goes on within a line is not `begins`."""
    first, *lines = text.replace("\r\n", "\n").split("\n")
    found = words_of(first, cut, begins)
    for line in lines:
        found.append("\n")
        found += words_of(line, cut)
    return found


def learn_words(counts: Mapping[str, int], cut: Cut, vocabulary: int | None, min_count: int = 1) -> list[str]:
    """The words counted at least `min_count` times, the most frequent first, those equally so in alphabetical order.

    With `vocabulary`, so many of them that there are no more with `<unk>` and `<eos>`, which are always there.
    """
    special = {"\n", UNKNOWN} if cut == "spaces" else {"\n"}
    ranked = sorted((-count, word) for word, count in counts.items() if count >= min_count and word not in special)
    return [word for _, word in ranked[: None if vocabulary is None else vocabulary - 2]]


def library_of(words: Sequence[str], cut: Cut) -> tokenizers.Tokenizer:
    """A tokenizer of the library with these words, after the three symbols."""
    numbers = {symbol: number for number, symbol in enumerate((*SPECIAL, *words))}
    library = tokenizers.Tokenizer(models.WordLevel(numbers, SPECIAL[1]))
    library.pre_tokenizer = (
        pre_tokenizers.WhitespaceSplit()
        if cut == "spaces"
        else pre_tokenizers.Split(tokenizers.Regex(LIBRARY_PATTERN), "isolated")
    )
    return library


class _Numbers(dict[str, int]):
    """The id of each word; 1, `<unk>`, of any other."""

    def __missing__(self, word: str) -> int:
        return 1


class WordCoding(Coding):
    """A vocabulary of words."""

    kind = "word"
    unit = "words"

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        """`library` as `library_of` makes it; `InputError` where it is not."""
        ids = library.get_vocab()
        symbols = in_order(ids)
        if symbols is None or tuple(symbols[:3]) != SPECIAL:
            raise InputError(
                f"a vocabulary of longer pieces without {END_OF_DOCUMENT}, {UNKNOWN} and {END_OF_LINE}: expected one "
                "that peephole wrote"
            )
        self.eod, self.unk, self.eos = 0, 1, 2
        self._cut: Cut = "spaces" if isinstance(library.pre_tokenizer, pre_tokenizers.WhitespaceSplit) else "split"
        self.cut = self._cut
        self.symbols = [END_OF_DOCUMENT, UNKNOWN, END_OF_LINE, *symbols[3:]]
        self._ids = _Numbers(ids)
        self._ids["\n"] = self.eos
        if self._cut == "spaces":
            self._ids[UNKNOWN] = self.unk

    def ready(self, text: str) -> int:
        """Up to the last line end or space."""
        return ready(text)

    def encode(self, text: str, begins: bool) -> list[int]:
        """The ids of a block; one that goes on within a line (not `begins`) goes on where a word begins."""
        return list(map(self._ids.__getitem__, tokens_of(text, self._cut, begins)))

    def spelled(self, text: str, begins: bool) -> list[str]:
        """The words of a block as they stand there, unknown ones too, and line ends."""
        return tokens_of(text, self._cut, begins)

    def apart(self, text: str) -> str:
        """Text as people write it with marks apart, where the vocabulary has them so and lacks the word as it is."""
        return taken_apart(text, self._ids.__contains__) if self._cut == "spaces" else text

    def speller(self) -> Speller:
        """Words as people write them: see `joining`."""
        return Joiner(self.symbols) if self._cut == "spaces" else exact_joiner(self.symbols)

    def unknown(self, text: str) -> dict[str, int]:
        """Words that the vocabulary lacks, without a space before them, and where each first stands."""
        found: dict[str, int] = {}
        for match in (re.compile(r"\S+") if self._cut == "spaces" else pattern()).finditer(text):
            word, place = match[0], match.start()
            first = self._cut == "split" and text[:place][-1:] in {"", "\n"} and not word.startswith(" ")
            if word not in {"\n", UNKNOWN} and (f" {word}" if first else word) not in self._ids:
                found.setdefault(word.removeprefix(" "), place + word.startswith(" "))
        return found
