"""Outputs of the net to words, while they come or all at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from peephole.data.speech.spelling import Spelling
from peephole.divergence import ctc_steps
from peephole.generate.ctc.alignment import align
from peephole.generate.ctc.best_path import BestPath, Label
from peephole.generate.ctc.config import SpeechDecoding
from peephole.generate.ctc.prefix_search import Fusion, PrefixSearch
from peephole.generate.language.model import LanguageModel
from peephole.tasks.speech.answer import Word

WAIT = 0.5  # seconds after its end that a word is given while more is heard


@dataclass(frozen=True, eq=False)
class Reading:
    """How outputs are read.

    Attributes:
        spelling: what each symbol adds to the text.
        seconds: from one output to the next.
        settings: of the search.
        language: the model that is asked beside the sound.
    """

    spelling: Spelling
    seconds: float
    settings: SpeechDecoding
    language: LanguageModel | None = None

    def words(self, logs: NDArray[np.float32]) -> list[Word]:
        """The words of a whole recording, from log-probabilities `[T, V]`."""
        heard = self.begin()
        return [*heard.add(logs), *heard.end()]

    def begin(self) -> "BestWords | SearchedWords":
        """A new recording."""
        return SearchedWords(self) if self.settings.beams else BestWords(self)

    def spelled(self, labels: Sequence[Label], offset: int = 0) -> list[tuple[Word, int]]:
        """Words of labels, each with the number of labels up to its end; `offset` outputs came before the first."""
        found: list[tuple[Word, int]] = []
        waiting: list[Label] = []

        def close(upto: int) -> None:
            text = self.spelling.text([label.symbol for label in waiting])
            if text:
                spoken = [label for label in waiting if self.spelling.pieces[label.symbol].strip()]
                start, end = (self.seconds * (offset + time) for time in (spoken[0].first, spoken[-1].end))
                found.append((Word(text, start, end, float(np.prod([label.confidence for label in spoken]))), upto))
            waiting.clear()

        for place, label in enumerate(labels):
            if self.spelling.pieces[label.symbol].startswith(" "):
                close(place)
            waiting.append(label)
        close(len(labels))
        return found


class BestWords:
    """The words of the likeliest symbol of every output."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.path = reading, BestPath()
        self.labels: list[Label] = []

    def add(self, logs: NDArray[np.float32]) -> list[Word]:
        """The words that are over, after outputs `[n, V]` that follow the last."""
        self.labels += self.path.feed(logs)
        whole = self.reading.spelling.units == "words"  # others may be followed by more of the word
        found = self.reading.spelled(self.labels)
        over = found if whole else found[:-1]
        if over:
            self.labels = self.labels[over[-1][1] :]
        return [word for word, _ in over]

    def end(self) -> list[Word]:
        """The words that are left."""
        return [word for word, _ in self.reading.spelled(self.labels + self.path.finish())]


class SearchedWords:
    """The words of the likeliest labels, each some time after its end, when what follows has been heard.

    Label sequences that lack it may still be searched, for some are always kept: a word that is given stays, whatever
    a language model would make of it later. When a word lies is what the likeliest path through its labels says.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        settings, spelling = reading.settings, reading.spelling
        fusion = Fusion(spelling.pieces, reading.language, settings.language_weight, settings.word_bonus)
        self.search = PrefixSearch(len(spelling), settings.beams, least=settings.least, fusion=fusion)
        self.given = 0  # labels that words have been made of
        self.rows: list[NDArray[np.float32]] = []  # outputs after those of the last word
        self.first = 0  # and where they begin

    def add(self, logs: NDArray[np.float32]) -> list[Word]:
        """The words that are over for a while, after outputs `[n, V]` that follow the last."""
        self.search.feed(logs)
        self.rows.append(logs)
        found, labels = self._waiting()
        latest = self.reading.seconds * self.search.frames - WAIT
        over = [one for one in found if one[0].end <= latest]
        if over and len(over) == len(found) and self.reading.spelling.units != "words":
            over = over[:-1]  # more of it may follow, however long that takes
        if over:
            taken = over[-1][1]
            end = labels[taken - 1].end
            self.rows = [np.concatenate(self.rows)[end:]]
            self.first, self.given = self.first + end, self.given + taken
        return [word for word, _ in over]

    def end(self) -> list[Word]:
        """The words that are left."""
        return [word for word, _ in self._waiting()[0]]

    def _waiting(self) -> tuple[list[tuple[Word, int]], Sequence[Label]]:
        """Words of the best labels that were not given, and these labels."""
        symbols = np.array(self.search.best()[0].symbols[self.given :], np.int64)
        if not len(symbols):
            return [], ()
        labels = align(_roomy(np.concatenate(self.rows), symbols), symbols).labels
        return self.reading.spelled(labels, self.first), labels


def _roomy(rows: NDArray[np.float32], symbols: NDArray[np.int64]) -> NDArray[np.float32]:
    """The rows, with some that say nothing after them where they are too few for the symbols.

    Where words that were given end was said by a path that is not always a part of the one that is likeliest now.
    """
    missing = ctc_steps(torch.tensor(symbols)) - len(rows)
    even = np.full((max(0, missing), rows.shape[1]), -np.log(rows.shape[1]), np.float32)
    return np.concatenate([rows, even])
