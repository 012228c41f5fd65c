"""`Spelling`: the units that a net says, and transcripts as their numbers and back."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import models, pre_tokenizers, trainers

from peephole.data.speech.config import SpeechData, Units
from peephole.errors import InputError

BLANK = 0  # no unit: nothing new is said
FIRST = 1  # number of the first unit
SPACE = "▁"  # marks the beginning of a word among pieces, as SentencePiece writes it


@dataclass(frozen=True)
class Spelling:
    """What transcripts are spelled in.

    Attributes:
        units: characters, words or pieces.
        symbols: what each unit is, the first of number 1; of pieces the first of a word begin with `▁`.
        merges: pairs of pieces that become one, in the order in which they are merged; none of others.
    """

    units: Units
    symbols: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()

    @classmethod
    def learn(cls, transcripts: Iterable[str], data: SpeechData) -> "Spelling":
        """From the transcripts of the training part. `InputError` where no unit is frequent enough."""
        if data.units == "pieces":
            return _pieces(list(transcripts), data)
        counts: Counter[str] = Counter()
        for transcript in transcripts:
            counts.update(transcript.split() if data.units == "words" else transcript)
        known = sorted(symbol for symbol, count in counts.items() if count >= data.min_count)
        _check(known, data)
        return cls(data.units, tuple(known))

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Spelling":
        """What `as_dict` gave."""
        merges = tuple((first, second) for first, second in saved["merges"])
        return cls(saved["units"], tuple(saved["symbols"]), merges)

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        return {**asdict(self), "symbols": list(self.symbols), "merges": [list(pair) for pair in self.merges]}

    def __len__(self) -> int:
        """How many numbers there are, the blank's included."""
        return len(self.symbols) + FIRST

    def numbers(self, transcript: str) -> NDArray[np.int32]:
        """The units of a transcript `[U]`; what is none of them is left out."""
        if self.units == "pieces":
            return np.array(self._library.encode(transcript).ids, np.int32) + FIRST
        parts = transcript.split() if self.units == "words" else transcript
        return np.array([self._places[part] for part in parts if part in self._places], np.int32)

    def text(self, numbers: Sequence[int]) -> str:
        """What units say, words with one space between them."""
        return " ".join("".join(self.pieces[number] for number in numbers).split())

    def unknown(self, transcript: str) -> list[str]:
        """What in a transcript is none of the units; of pieces, the characters."""
        parts = transcript.split() if self.units == "words" else transcript.replace(" ", "")
        return [part for part in parts if part not in self._places and (self.units != "characters" or part != " ")]

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """What each number adds to a text, a word's space before it included; the blank nothing."""
        if self.units == "words":
            return ("", *(f" {symbol}" for symbol in self.symbols))
        return ("", *(symbol.replace(SPACE, " ") if self.units == "pieces" else symbol for symbol in self.symbols))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols, FIRST)}

    @cached_property
    def _library(self) -> tokenizers.Tokenizer:
        numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        library = tokenizers.Tokenizer(models.BPE(vocab=numbers, merges=list(self.merges)))
        library.pre_tokenizer = pre_tokenizers.Metaspace()
        return library


def _pieces(transcripts: list[str], data: SpeechData) -> Spelling:
    """Characters, and what merging the most frequent pair again and again makes of them (Sennrich et al. 2016)."""
    counts = Counter(character for transcript in transcripts for character in transcript if character != " ")
    known = sorted(character for character, count in counts.items() if count >= data.min_count)
    _check(known, data)
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.Metaspace()
    alphabet = [SPACE, *known]
    trainer = trainers.BpeTrainer(
        vocab_size=max(data.vocabulary, len(alphabet)),
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),  # no other characters, whose order among equals the library leaves open
        show_progress=False,
    )
    library.train_from_iterator(transcripts, trainer)
    numbers = library.get_vocab()
    merges = json.loads(library.to_str())["model"]["merges"]
    symbols = tuple(sorted(numbers, key=numbers.__getitem__))
    return Spelling("pieces", symbols, tuple((first, second) for first, second in merges))


def _check(known: Sequence[str], data: SpeechData) -> None:
    if not known:
        kind = "word" if data.units == "words" else "character"
        raise InputError(
            f"no {kind} stands {data.min_count} times in the transcripts; expected text that recurs; lower --min-count"
        )
