"""Reading an ARPA file, of anybody."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peephole.generate.language.arpa.entries import Entries, section, sizes
from peephole.generate.language.arpa.lines import Lines, shown
from peephole.generate.language.arpa.model import NEVER, PARTING, UNKNOWN, WORDS, ArpaModel
from peephole.generate.language.arpa.spelling import BEGIN, END, UNKNOWN_WORD, unspelled
from peephole.models.ngram import Level, NGram

UNKNOWN_WORDS = (UNKNOWN_WORD, "<UNK>")  # the second one as the CMU toolkit writes it
OPENING = -1  # number of `<s>` while n-grams are read, to tell it from `</s>`


def read_arpa(path: Path) -> ArpaModel:
    """Read a model, compressed or not.

    Raises:
        InputError: no ARPA file, or one that is malformed, with the number of the line.
    """
    with Lines(path) as lines:
        counted = sizes(lines)
        growing = _of_tokens(lines, section(lines, 1, counted[0], len(counted) == 1))
        for length, size in enumerate(counted[1:], 2):
            growing.add(lines, section(lines, length, size, length == len(counted)))
        line = lines.next_filled()
        if line != b"\\end\\":
            lines.refuse(f"{shown(line)}; expected \\end\\ after the {len(counted)}-grams")
    boundary, never = (PARTING, (NEVER,)) if growing.parted else (None, ())
    model = NGram(growing.levels, len(growing.symbols), boundary, never)
    return ArpaModel(model, tuple(growing.symbols), UNKNOWN in growing.numbers.values(), growing.left_out)


@dataclass
class _Growing:
    """A model as far as it is read.

    Attributes:
        symbols: the text of each number.
        numbers: of tokens as they are spelled.
        parted: whether there are `</s>`.
        levels: the n-grams by length.
        weights: of the longest of them as contexts, `[ngrams]`.
        left_out: n-grams that nothing asks for.
    """

    symbols: list[str]
    numbers: dict[bytes, int]
    parted: bool
    levels: list[Level]
    weights: NDArray[np.float64]
    left_out: int = 0

    def add(self, lines: Lines, entries: Iterable[Entries]) -> None:
        """The n-grams of the next length."""
        some = [self._numbered(lines, each) for each in entries]
        length, size = len(self.levels) + 1, len(self.symbols)
        empty = np.empty((length, 0), np.int32), np.empty(0), np.empty(0), np.empty(0, np.int64)
        ids, logs, weights, rows = (np.concatenate(each, axis=-1) for each in zip(empty, *some, strict=True))
        numbers = np.zeros(ids.shape[1], dtype=np.int64)
        for level, tokens in zip(self.levels, ids[:-1], strict=True):
            numbers, there = level.find(numbers * size + tokens)
            if not there.all():
                row = int(rows[np.argmin(there)])
                lines.refuse(f"its first {length - 1} tokens are no {length - 1}-gram of the file; expected one", row)
        keys = numbers * size + ids[-1]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        twice = np.flatnonzero(keys[1:] == keys[:-1])
        if len(twice):
            lines.refuse("an n-gram that was there before; expected each once", int(rows[order[twice[0] + 1]]))
        self.levels.append(Level(keys, np.power(10.0, logs[order]), self.weights))
        self.weights = np.power(10.0, weights[order])

    def _numbered(self, lines: Lines, entries: Entries) -> tuple[NDArray[np.generic], ...]:
        """Numbers `[length, ngrams]`, logs, weights and lines of those that can be asked for."""
        try:
            ids = np.array([[self.numbers[word] for word in column] for column in entries.columns], dtype=np.int32)
        except KeyError as missing:
            at = min(column.index(missing.args[0]) for column in entries.columns if missing.args[0] in column)
            lines.refuse(f"{shown(missing.args[0])} is none of the 1-grams; expected one", entries.line + at)
        kept = ~((ids[1:] == OPENING).any(0) | ((ids[:-1] == PARTING).any(0) & self.parted))
        self.left_out += int((~kept).sum())
        ids[ids == OPENING] = PARTING
        rows = np.arange(entries.line, entries.line + len(kept))
        return ids[:, kept], entries.logs[kept], entries.weights[kept], rows[kept]


def _of_tokens(lines: Lines, entries: Iterable[Entries]) -> _Growing:
    """Number the tokens as `ArpaModel` says."""
    logs: dict[str, float] = {}
    weights: dict[str, float] = {}
    for each in entries:
        (column,) = each.columns
        for row, (word, log, weight) in enumerate(zip(column, each.logs, each.weights, strict=True), each.line):
            try:
                text = word.decode()
            except UnicodeDecodeError:
                lines.refuse(f"{shown(word)} is no UTF-8; expected a file in UTF-8", row)
            if text in logs:
                lines.refuse(f"{text!r} was there before; expected each token once", row)
            logs[text], weights[text] = float(log), float(weight)
    if BEGIN in logs and END not in logs:
        lines.refuse("<s> is among the 1-grams and </s> is not; expected both, or neither")
    special = [word for word in UNKNOWN_WORDS if word in logs][:1]
    words = sorted(logs.keys() - {BEGIN, END, *special}, key=unspelled)
    numbers = dict.fromkeys(special, UNKNOWN)
    if END in logs:
        numbers[END] = PARTING
        weights[END] = weights.get(BEGIN, 0.0)
    numbers |= zip(words, count(WORDS))
    # What the file lacks has no probability: the empty context leaves it nothing.
    keys = np.array(list(numbers.values()), dtype=np.int64)
    first = Level(keys, np.power(10.0, [logs[word] for word in numbers]), np.zeros(1))
    found = _Growing(
        symbols=["<eod>", UNKNOWN_WORD, "\n", *map(unspelled, words)],
        numbers={word.encode(): number for word, number in numbers.items()},
        parted=END in logs,
        levels=[first],
        weights=np.power(10.0, [weights[word] for word in numbers]),
    )
    if BEGIN in logs:
        found.numbers[BEGIN.encode()] = OPENING
    return found
