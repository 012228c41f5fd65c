"""Sentences without labels, from lines of text that come one after another."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from peephole.errors import InputError

CONLLU_COLUMNS = 10
NUMBER, NO_WORD = re.compile(r"[1-9]\d*"), re.compile(r"\d+[-.]\d+")


@dataclass(frozen=True)
class Line:
    """What a line brings: words, several where it is a whole sentence; none where it ends one."""

    words: tuple[str, ...]
    whole: bool = False


def read_lines(lines: Iterable[str], word_column: int, name: str) -> Iterator[Line]:
    """What lines bring, as soon as it is known.

    - An empty line ends a sentence.
    - A line with tabs is a word: of CoNLL-U its form (of tokens that are no words nothing, of comments neither), else
      what stands in column `word_column`, from 1.
    - A line of one word without spaces is that word.
    - Any other line is a whole sentence, with spaces between its words.

    Raises:
        InputError: a line with tabs that lacks the word's column; `name` says where.
    """
    remarks: list[str] = []  # lines that begin with #: comments if CoNLL-U follows, else sentences
    for number, raw in enumerate(lines, 1):
        line = (raw.removeprefix("\ufeff") if number == 1 else raw).rstrip("\r\n")
        cells = line.split("\t")
        if line.startswith("# ") and len(cells) == 1:
            remarks.append(line)
            continue
        conllu = len(cells) == CONLLU_COLUMNS and bool(NUMBER.fullmatch(cells[0]) or NO_WORD.fullmatch(cells[0]))
        for remark in remarks if not conllu else ():
            yield _plain(remark)
        remarks.clear()
        if conllu:
            if NUMBER.fullmatch(cells[0]):
                yield Line((cells[1],))
        elif len(cells) > 1:
            if len(cells) < word_column or not cells[word_column - 1].strip():
                raise InputError(
                    f"{name}, line {number}: no word in column {word_column}; expected one, as in the training files, "
                    "or text without tabs"
                )
            yield Line((cells[word_column - 1],))
        else:
            yield _plain(line)
    for remark in remarks:
        yield _plain(remark)


def sentences(lines: Iterable[Line]) -> Iterator[tuple[str, ...]]:
    """Whole sentences, without empty ones."""
    words: list[str] = []
    for line in lines:
        if words and (line.whole or not line.words):
            yield tuple(words)
            words = []
        if line.whole:
            yield line.words
        else:
            words += line.words
    if words:
        yield tuple(words)


def _plain(line: str) -> Line:
    words = tuple(word for word in line.split(" ") if word)
    return Line(words, whole=len(words) > 1)
