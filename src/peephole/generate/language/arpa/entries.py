"""What the lines of an ARPA file say: how many n-grams there are, and each of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from peephole.generate.language.arpa.lines import Lines, is_heading, shown


@dataclass(frozen=True, eq=False)
class Entries:
    """Some n-grams of one length, in the order of the file.

    Attributes:
        line: number of the line of the first.
        logs: log10 p of each, `[ngrams]`.
        weights: log10 of the weight of each as a context, 0 where it has none, `[ngrams]`.
        columns: their first tokens, their second ones and so on, as they are spelled.
    """

    line: int
    logs: NDArray[np.float64]
    weights: NDArray[np.float64]
    columns: list[list[bytes]]


def sizes(lines: Lines) -> list[int]:
    """The number of n-grams of each length, from the head of the file.

    Raises:
        InputError: it has no such head.
    """
    while (line := lines.next_filled()) != b"\\data\\":
        if line is None:
            lines.refuse("no \\data\\; expected an ARPA file, which begins so")
    found: list[int] = []
    while (line := lines.next_filled()) is not None and not is_heading(line):
        name, _, size = line.partition(b"=")
        if name.split() != [b"ngram", b"%d" % (len(found) + 1)] or not size.strip().isdigit():
            lines.refuse(f"{shown(line)}; expected ngram {len(found) + 1}=… with how many there are")
        found.append(int(size))
    if not found or not found[0]:
        lines.refuse("\\data\\ counts no single tokens; expected ngram 1=… with how many there are")
    lines.keep(line)
    return found


def section(lines: Lines, length: int, size: int, last: bool) -> Iterator[Entries]:
    """The n-grams of one length, many at a time; the longest ones, which come `last`, have no weights.

    Raises:
        InputError: they do not follow, are not `size` many, or a line says anything else.
    """
    line = lines.next_filled()
    if line != b"\\%d-grams:" % length:
        lines.refuse(f"{shown(line)}; expected \\{length}-grams:, of which \\data\\ counts {size:,}")
    widths = {length + 1} if last else {length + 1, length + 2}
    seen = 0
    for rows in lines.filled():
        if not widths.issuperset(map(len, rows)):
            _complain(lines, rows, length, widths)
        try:
            logs = np.array([float(row[0]) for row in rows])
            weights = np.array([float(row[-1]) if len(row) > length + 1 else 0.0 for row in rows])
        except ValueError:
            _complain(lines, rows, length, widths)
        if not (logs <= 0).all() or not (weights < math.inf).all():
            _complain(lines, rows, length, widths)
        columns = [[row[place] for row in rows] for place in range(1, length + 1)]
        yield Entries(lines.number - len(rows) + 1, logs, weights, columns)
        seen += len(rows)
    if seen != size:
        lines.refuse(f"{seen:,} {length}-grams up to here; \\data\\ counts {size:,}")


def _complain(lines: Lines, rows: Sequence[list[bytes]], length: int, widths: set[int]) -> NoReturn:
    """Say which of the lines is wrong, and how."""
    tokens = f"log10 p and {length} token{'s' * (length > 1)}"
    expected = tokens if len(widths) == 1 else f"{tokens}, perhaps with log10 of a weight"
    for number, row in enumerate(rows, lines.number - len(rows) + 1):
        if len(row) not in widths:
            lines.refuse(f"{len(row)} fields; expected {expected}", number)
        for name, value in (("log10 p", row[0]), ("log10 of the weight", row[-1]))[: len(row) - length]:
            try:
                parsed = float(value)
            except ValueError:
                parsed = math.nan
            if math.isnan(parsed) or parsed == math.inf:
                lines.refuse(f"{name} is {shown(value)}; expected a number", number)
            if name == "log10 p" and parsed > 0:
                lines.refuse(f"log10 p is {shown(value)}; expected at most 0, a probability of at most 1", number)
    raise AssertionError("lines that are refused have something wrong")
