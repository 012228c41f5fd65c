"""`Coding`: what a kind of tokens has to know."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from peephole.data.config import Cut

END_OF_DOCUMENT, UNKNOWN, END_OF_LINE = "<eod>", "<unk>", "<eos>"
ENDS = frozenset(".!?…。！？؟।")  # marks that end a sentence
CLOSING = "\"'”’»)]}」』"  # marks that may follow them, before the next sentence begins

Speller = Callable[[int | None], str]


class Coding(ABC):
    """Text to ids in blocks that begin and end between tokens, and back.

    Attributes:
        symbols: the text of each id, as it is shown; of pieces of a character, their bytes.
        eod: id of `<eod>`, which stands before every document and after the last.
        unk: id of `<unk>`.
        eos: id of `<eos>`, which is the end of a line; None where that is an ordinary character.
        cut: what a word is, "spaces" or "split"; None of other tokens.
    """

    kind: ClassVar[str]
    unit: ClassVar[str]

    symbols: list[str]
    eod: int
    unk: int
    eos: int | None = None
    cut: Cut | None = None

    @abstractmethod
    def encode(self, text: str, begins: bool) -> NDArray[np.integer] | Sequence[int]:
        """The ids of a block; `begins`: a line begins with it."""

    @abstractmethod
    def speller(self) -> Speller:
        """A function that takes ids one by one and gives the text that each completes; None ends the text."""

    @abstractmethod
    def unknown(self, text: str) -> dict[str, int]:
        """Tokens of `text` that the vocabulary lacks, and where each first stands, in characters."""

    def ready(self, text: str) -> int:
        """How many characters of `text` stay the tokens they are, whatever follows; 0 where none do as yet."""
        return len(text)

    def spelled(self, text: str, begins: bool) -> list[str]:
        """What each id of a block stands for, as far as an id stands for text."""
        return [self.symbols[token] for token in np.asarray(self.encode(text, begins)).tolist()]

    def apart(self, text: str) -> str:
        """Text as people write it in the way that this coding expects it."""
        return text

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""
        spell = self.speller()
        return "".join(map(spell, [*ids, None]))

    def ends_sentence(self, token: int) -> bool:
        """Whether a sentence may end with this token; with a word that has its full stop, where none stand apart."""
        mark = self.symbols[token].strip().rstrip(CLOSING)
        alone = not any(map(str.isalnum, mark)) or not self._marks_apart
        return token == self.eos or (mark[-1:] in ENDS and alone)

    @cached_property
    def _marks_apart(self) -> bool:
        return any(symbol.strip() in ENDS for symbol in self.symbols)


def in_order(vocabulary: Mapping[str, int]) -> list[str] | None:
    """The spelling of each id, or None where ids are missing."""
    symbols = sorted(vocabulary, key=vocabulary.__getitem__)
    return symbols if sorted(vocabulary.values()) == list(range(len(symbols))) else None


def kind_of(content: Any) -> str:
    """Which kind of tokens a tokenizer is for that the library wrote: char, word, or bpe."""
    if content["model"]["type"] == "WordLevel":
        return "word"
    return "bpe" if (content["pre_tokenizer"] or {}).get("type") == "ByteLevel" else "char"
