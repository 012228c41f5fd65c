"""Files of labelled sentences, read line by line."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from peephole.data.files import read_text
from peephole.data.tagging.config import CONLLU, TaggingData
from peephole.data.tagging.rows import ColumnRows, ConlluRows, Row, Rows
from peephole.data.tagging.sentences import LineError, Sentence, Tally
from peephole.errors import InputError

LOOKED_AT = 1000  # lines that say how a file is written; notes before the first sentence are shorter
CONLLU_NUMBER = re.compile(r"\d+([-.]\d+)?")


def read_files(files: Sequence[Path], data: TaggingData, tally: Tally | None = None) -> Iterator[Sentence]:
    """The sentences of `files` one by one, in the memory of one; `tally` hears of what is no sentence.

    Raises:
        InputError: a file that is missing, empty or no text; a malformed line, unless `data.skip` leaves its sentence
            out; a file in which no word has a label, said at its end.
    """
    tally = tally or Tally()
    written = {type(_rows(file, data)): file for file in files}
    if len(written) > 1:
        first, second = written.values()
        raise InputError(
            f"{first} and {second}: one has columns, the other is CoNLL-U, whose labels are others; expected files of "
            "one format; train on one kind, or say by --format how to read both"
        )
    for file in files:
        rows = _rows(file, data)
        words = labelled = 0
        for block in _blocks(file, rows, data.encoding):
            rows.begin()
            try:
                found = [(number, rows.read(number, line)) for number, line in block]
            except LineError as error:
                if not data.skip:
                    raise error.told(file) from None
                tally.skipped.append(f"{file}, line {error.number}: {error.reason}")
                continue
            tally.passed.update(row.passed for _, row in found if row.passed is not None)
            kept = [(number, row) for number, row in found if row.passed is None]
            if kept:
                words += len(kept)
                labelled += sum(row.label is not None for _, row in kept)
                yield _sentence(file, kept, data.missing)
        if not words:
            raise InputError(f"{file}: no sentence in it; expected words with labels, a line each")
        if not labelled:
            raise InputError(
                f"{file}: none of its {words:,} words has a label in {data.column}; expected another --column"
            )


def numbered_lines(file: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers from 1, without their ends and without a byte order mark."""
    number, kept = 0, ""
    for piece in read_text(file, encoding):
        *lines, kept = (kept + piece).split("\n")
        for line in lines:
            number += 1
            yield number, _bare(line, number)
    if kept:
        yield number + 1, _bare(kept, number + 1)


def _bare(line: str, number: int) -> str:
    return (line.removeprefix("\ufeff") if number == 1 else line).removesuffix("\r")


def _rows(file: Path, data: TaggingData) -> Rows:
    """How the file is written, by its name or by its first line that can be a word."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; expected one of labelled sentences")
    lines = [line for _, line in islice(numbered_lines(file, data.encoding), LOOKED_AT) if line.strip()]
    cells = next((line for line in lines if not line.startswith("#")), "").split("\t")
    looks_so = file.suffix == ".conllu" or (len(cells) == len(CONLLU) and bool(CONLLU_NUMBER.fullmatch(cells[0])))
    if data.format == "conllu" or (data.format == "auto" and looks_so):
        return ConlluRows(data)
    if data.column != "auto" and not data.column.lstrip("-").isdigit():
        raise InputError(
            f"{file}: its columns have no names, and --column is {data.column}; expected a number, or CoNLL-U"
        )
    return ColumnRows(data, tabs=any("\t" in line for line in lines))


def _blocks(file: Path, rows: Rows, encoding: str) -> Iterator[list[tuple[int, str]]]:
    """The lines of each sentence, without comments."""
    block: list[tuple[int, str]] = []
    for number, line in numbered_lines(file, encoding):
        if line.strip():
            if not rows.comment(line):
                block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _sentence(file: Path, rows: Sequence[tuple[int, Row]], missing: str) -> Sentence:
    return Sentence(
        words=tuple(row.word for _, row in rows),
        labels=tuple(missing if row.label is None else row.label for _, row in rows),
        file=file,
        lines=tuple(number for number, _ in rows),
    )
