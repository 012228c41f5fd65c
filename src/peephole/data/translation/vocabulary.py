"""`Vocabulary`: the tokens of one language, whole words or byte-pairs, and texts as their numbers and back.

The `tokenizers` library cuts and merges; numbers, the symbols that stand for no text, and joining are ours.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import models, trainers

from peephole.data.translation.config import Cut, Tokens, TranslationData
from peephole.data.translation.cutting import SPACE, pre_tokenizer
from peephole.errors import InputError

END, UNKNOWN, FIRST = 0, 1, 2  # numbers: of what ends a sentence, of any other token, and the first of all tokens
# Each has a space in its name, which no token of a text has: a text that spells "<end>" does not end by it.
SPECIAL = ("<end> ", "<unk> ")


@dataclass(frozen=True)
class Token:
    """A token as it is spelled in a text, with `▁` for a space before it, and its number in the vocabulary."""

    text: str
    number: int


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a language.

    Attributes:
        tokens: words or pieces.
        cut: what a word is.
        symbols: what each number spells, the first two for the end and for what is unknown.
        merges: pairs of pieces that become one, in the order in which they are merged; none of words.
    """

    tokens: Tokens
    cut: Cut
    symbols: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()

    @classmethod
    def learn(cls, sentences: Iterable[str], data: TranslationData, cut: Cut) -> "Vocabulary":
        """From the sentences of the training part."""
        return (_pieces if data.tokens == "pieces" else _words)(sentences, data, cut)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Vocabulary":
        """What `as_dict` gave."""
        merges = tuple((first, second) for first, second in saved["merges"])
        return cls(saved["tokens"], saved["cut"], tuple(saved["symbols"]), merges)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return {**asdict(self), "symbols": list(self.symbols), "merges": [list(pair) for pair in self.merges]}

    def __len__(self) -> int:
        return len(self.symbols)

    def ids(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """The numbers of each text `[tokens]`, without an end."""
        return [np.array(found.ids, np.int32) for found in self._library.encode_batch_fast(list(texts))]

    def spelled(self, text: str) -> list[Token]:
        """The tokens of a text; one that is unknown as it stands there."""
        found, marked = self._library.encode(text), self.tokens == "pieces" or self.cut == "split"
        return [
            Token(_spelled(text, start, end, marked) if number == UNKNOWN else self.symbols[number], number)
            for number, (start, end) in zip(found.ids, found.offsets, strict=True)
        ]

    def text(self, spelled: Iterable[str]) -> str:
        """Tokens, as `symbols` or `Token` spell them, as a text."""
        if self.tokens == "words" and self.cut == "spaces":
            return " ".join(one.strip().removeprefix(SPACE) for one in spelled)
        return " ".join("".join(spelled).replace(SPACE, " ").split())

    def unknown(self, ids: NDArray[np.int32]) -> int:
        """How many tokens are unknown."""
        return int((ids == UNKNOWN).sum())

    @cached_property
    def _library(self) -> tokenizers.Tokenizer:
        numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        model: models.Model
        if self.tokens == "pieces":
            model = models.BPE(vocab=numbers, merges=list(self.merges), unk_token=SPECIAL[UNKNOWN])
        else:
            model = models.WordLevel(vocab=numbers, unk_token=SPECIAL[UNKNOWN])
        library = tokenizers.Tokenizer(model)
        library.pre_tokenizer = pre_tokenizer(self.tokens, self.cut)
        return library


def _words(sentences: Iterable[str], data: TranslationData, cut: Cut) -> Vocabulary:
    """The most frequent words, those that are equally so in alphabetical order."""
    cutter = pre_tokenizer("words", cut)
    counts = Counter(word for sentence in sentences for word, _ in cutter.pre_tokenize_str(sentence))
    kept = sorted((-count, word) for word, count in counts.items() if count >= data.min_count)
    if not kept:
        raise InputError(
            f"no word stands {data.min_count} times in training; expected text whose words recur; lower --min-count"
        )
    return Vocabulary("words", cut, (*SPECIAL, *(word for _, word in kept[: data.vocabulary - FIRST])))


def _pieces(sentences: Iterable[str], data: TranslationData, cut: Cut) -> Vocabulary:
    """Characters, and what merging the most frequent pair again and again makes of them."""
    kept = list(sentences)
    counts = Counter(character for sentence in kept for character in sentence if character != " ")
    ranked = sorted((-count, character) for character, count in counts.items() if count >= data.min_count)
    if not ranked:
        raise InputError(
            f"no character stands {data.min_count} times in training; expected text whose characters recur; "
            "lower --min-count"
        )
    # At most half of all numbers for characters: a language with thousands of them still has words of several.
    alphabet = [SPACE, *(character for _, character in ranked[: data.vocabulary // 2 - FIRST])]
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizer("pieces", cut)
    trainer = trainers.BpeTrainer(
        vocab_size=data.vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),  # no other characters, whose order among equals the library leaves open
        show_progress=False,
    )
    library.train_from_iterator(kept, trainer)
    numbers = library.get_vocab()
    merges = json.loads(library.to_str())["model"]["merges"]
    symbols = tuple(sorted(numbers, key=numbers.__getitem__))
    return Vocabulary("pieces", cut, symbols, tuple((first, second) for first, second in merges))


def _spelled(text: str, start: int, end: int, marked: bool) -> str:
    """What stands in a text, where it is `marked` with that of a word's beginning where there is one."""
    found = text[start:end]
    return SPACE + found.strip() if marked and (found.startswith(" ") or start == 0) else found.strip()
