"""Sentences without translations, from files and from standard input."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from peephole.data.translation.config import TranslationData
from peephole.data.translation.reading import numbered_lines


def sentences(file: Path, data: TranslationData) -> Iterator[str]:
    """A line each; of a table (.tsv) the column that training read, or the first in a row without so many."""
    column = (data.columns or (1, 2))[0] - 1
    table = file.suffix.lower() == ".tsv"
    for _, line in numbered_lines(file, data.encoding):
        cells = line.split("\t") if table else [line]
        yield cells[column] if column < len(cells) else cells[0]


def stdin_is_a_file() -> bool:
    """Whether all lines are there already (`< FILE`), so that nobody waits for an answer before the next."""
    try:
        return stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):  # closed, or replaced by something without a file
        return False
