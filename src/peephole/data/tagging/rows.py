"""One line of a file at a time: what stands in it, for CoNLL-U and for plain columns.

CoNLL-U is read here and not by the library of its name, which keeps no line numbers, parts columns at two spaces as
well as at tabs, and parses dependencies that no label needs. The format: https://universaldependencies.org/format.html
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from peephole.data.tagging.config import CONLLU, KEYED, TaggingData
from peephole.data.tagging.sentences import LineError
from peephole.errors import InputError

WORD, MULTIWORD, EMPTY = re.compile(r"[1-9]\d*"), re.compile(r"\d+-\d+"), re.compile(r"\d+\.\d+")
DOCUMENT = "-DOCSTART-"  # stands in the place of a word where a document begins (CoNLL 2002, 2003)


@dataclass(frozen=True)
class Row:
    """A word with its label, None where it has none; or what the line is instead, in `passed`."""

    word: str = ""
    label: str | None = None
    passed: str | None = None


class Rows(ABC):
    """How lines of a format are read."""

    @abstractmethod
    def comment(self, line: str) -> bool:
        """Whether the line says something about its sentence and is no row."""

    @abstractmethod
    def read(self, number: int, line: str) -> Row:
        """The row in line `number`. `LineError` where it is malformed."""

    def begin(self) -> None:
        """A new sentence begins."""
        self.words = 0  # so far


class ConlluRows(Rows):
    """Ten columns, parted by tabs: number, word, lemma, tags, features, head, relation and others."""

    def __init__(self, data: TaggingData) -> None:
        name, _, self.key = ("upos" if data.column == "auto" else data.column).partition(":")
        self.place = CONLLU.index(name) if name in CONLLU else column_place(name, len(CONLLU))
        if not 0 <= self.place < len(CONLLU):
            raise InputError(f"--column is {name}, and CoNLL-U has {len(CONLLU)}; expected 1 to {len(CONLLU)}")
        self.name = name if name in CONLLU else CONLLU[self.place]
        self.begin()

    def comment(self, line: str) -> bool:
        return line.startswith("#")

    def read(self, number: int, line: str) -> Row:
        cells = line.split("\t")
        if len(cells) != len(CONLLU):
            raise LineError(number, f"{len(cells)} columns parted by tabs; expected the {len(CONLLU)} of CoNLL-U")
        for kind, pattern in (("multiword tokens", MULTIWORD), ("empty nodes", EMPTY)):
            if pattern.fullmatch(cells[0]):
                return Row(passed=kind)
        if not WORD.fullmatch(cells[0]) or int(cells[0]) != self.words + 1:
            raise LineError(number, f"the word's number is {cells[0]!r}; expected {self.words + 1}")
        if not cells[1].strip():
            raise LineError(number, "the column of the word is empty; expected a word")
        label = cells[self.place]
        if self.key:
            pairs = (pair.partition("=") for pair in label.split("|"))
            label = next((value for key, _, value in pairs if key == self.key), "_")
        if not label:
            raise LineError(number, f"{self.name} is empty; expected a label, or _ for none")
        self.words += 1
        # Of the features, none is a value of its own: a word without any is as complete as one with.
        has_none = label == "_" and (self.name not in KEYED or bool(self.key))
        return Row(cells[1], None if has_none else label)


class ColumnRows(Rows):
    """A word and its labels, parted by tabs, or by spaces in a file without; every line has as many columns."""

    def __init__(self, data: TaggingData, tabs: bool) -> None:
        self.column = -1 if data.column == "auto" else int(data.column)
        self.word_place, self.tabs = data.word_column - 1, tabs
        self.columns = 0  # how many there are, once a line has said so

    def comment(self, line: str) -> bool:
        return False  # a # is a word here

    def read(self, number: int, line: str) -> Row:
        cells = line.split("\t") if self.tabs else re.split(" +", line.strip(" "))
        parted = "tabs" if self.tabs else "spaces"
        if cells[0] == DOCUMENT:
            return Row(passed="document marks")
        if not self.columns:
            least = max(self.word_place + 1, abs(self.column), 2)
            if len(cells) < least:
                raise LineError(number, f"{len(cells)} columns parted by {parted}; expected at least {least}")
            self.columns = len(cells)
        if len(cells) != self.columns:
            raise LineError(
                number, f"{len(cells)} columns parted by {parted}; expected {self.columns}, as in the lines before"
            )
        word, label = cells[self.word_place], cells[column_place(str(self.column), self.columns)]
        if not word.strip() or not label.strip():
            raise LineError(number, "a word or a label is empty; expected both")
        return Row(word, label)


def column_place(number: str, columns: int) -> int:
    """Place from 0 of the column that is counted from 1, or with a minus from the end."""
    place = int(number)
    return place - 1 if place > 0 else columns + place
