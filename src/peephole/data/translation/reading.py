"""Pairs of sentences from files: two files side by side, or a table."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from peephole.data.files import find_files, read_text
from peephole.data.translation.config import TranslationData
from peephole.data.translation.parting import parting_line
from peephole.data.translation.sentences import SentencePair, Tally, clean, counted
from peephole.errors import InputError

SHOWN = 40  # characters of a line that a complaint shows


def read_pairs(files: Sequence[Path], data: TranslationData, tally: Tally | None = None) -> Iterator[SentencePair]:
    """The pairs of `files` in order. One with an empty side is left out, and `tally` hears of it.

    Raises:
        InputError: files that do not come in pairs, the same file twice, one that is missing, empty or no text, files
            of different length, a row of a table with other columns.
    """
    tally = Tally() if tally is None else tally
    for file in files:
        _check(file, data.encoding)
    tables, others = _by_kind(files, data)
    for table in tables:
        yield from _kept(_rows(table, data), data, tally)
    for source, target in zip(others[::2], others[1::2], strict=True):
        yield from _kept(_side_by_side(source, target, data.encoding), data, tally)


def numbered_lines(file: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers from 1, without a byte order mark.

    Only a line feed ends a line: other marks that Unicode counts as ends, within a sentence, would shift all lines
    after it against those of the other file.
    """
    number, kept = 0, ""
    for piece in read_text(file, encoding):
        *lines, kept = (kept + piece).split("\n")
        for line in lines:
            number += 1
            yield number, line.removeprefix("\ufeff") if number == 1 else line
    if kept:
        yield number + 1, kept.removeprefix("\ufeff") if not number else kept


def _check(file: Path, encoding: str) -> None:
    """`InputError` for what is no text file that can be read twice."""
    if not file.exists():
        raise InputError(f"{file}: no such file; expected sentences, one a line")
    if file.is_dir():
        raise InputError(f"{file}: a folder; expected a file of sentences, one a line; name the files in it")
    find_files((file,), (), encoding)


def _by_kind(files: Sequence[Path], data: TranslationData) -> tuple[list[Path], list[Path]]:
    """Tables, and files that come in pairs: sentences, translations, sentences, translations."""
    tables, others = list[Path](), list[Path]()
    for file in files:
        table = file.suffix.lower() == ".tsv" or (len(files) == 1 and data.format == "auto")
        (tables if data.format == "tsv" or (data.format == "auto" and table) else others).append(file)
    if len(others) % 2:
        raise InputError(
            f"{others[-1]}: {counted(len(others), 'file')} of sentences; expected an even number, each followed by "
            "that of its translations; or tables of two columns, .tsv or with --format tsv"
        )
    seen: dict[Path, Path] = {}
    for file in files:
        if file.resolve() in seen:
            raise InputError(
                f"{file}: the same file as {seen[file.resolve()]}; expected sentences in one file and their "
                "translations in another; name the other one"
            )
        seen[file.resolve()] = file
    return tables, others


def _kept(pairs: Iterator[SentencePair], data: TranslationData, tally: Tally) -> Iterator[SentencePair]:
    """The pairs with text on both sides, clean."""
    for pair in pairs:
        source, target = clean(pair.source, data.lower), clean(pair.target, data.lower)
        if source and target:
            tally.pairs += 1
            yield SentencePair(source, target, pair.place)
        else:
            empty = "both sides" if not source and not target else "the sentence" if target else "the translation"
            tally.skipped.append(f"{pair.place}: {empty} empty")


def _rows(table: Path, data: TranslationData) -> Iterator[SentencePair]:
    first, second = data.columns or (1, 2)
    for number, line in numbered_lines(table, data.encoding):
        place = f"{table}, line {number}"
        cells = line.rstrip("\r").split("\t")
        if not line.strip():
            yield SentencePair("", "", place)
            continue
        got = f"{place}: {counted(len(cells), 'column')} in {line[:SHOWN]!r}"
        if data.columns is None and len(cells) != 2:
            hint = (
                "; say which two by --columns 1 2" if len(cells) > 2 else ", or name the file of translations after it"
            )
            raise InputError(f"{got}; expected 2, a sentence and its translation; mend the line{hint}")
        if len(cells) < max(first, second):
            wanted = f"{max(first, second)} or more for --columns {first} {second}"
            raise InputError(f"{got}; expected {wanted}; mend the line")
        yield SentencePair(cells[first - 1], cells[second - 1], place)


def _side_by_side(source: Path, target: Path, encoding: str) -> Iterator[SentencePair]:
    """The lines of two files, which are compared before the first pair comes."""
    counts = [sum(1 for _ in numbered_lines(file, encoding)) for file in (source, target)]
    if counts[0] != counts[1]:
        raise InputError(_apart(source, target, encoding))
    sides = numbered_lines(source, encoding), numbered_lines(target, encoding)
    for (number, one), (_, other) in zip(*sides, strict=True):
        yield SentencePair(one, other, f"{source}, line {number}")


def _apart(source: Path, target: Path, encoding: str) -> str:
    """What to say of files of different length."""
    sides = [[line for _, line in numbered_lines(file, encoding)] for file in (source, target)]
    said = f"{source} has {len(sides[0]):,} lines and {target} {len(sides[1]):,}; expected as many, line beside line"
    filled = [sum(1 for line in side if line.strip()) for side in sides]
    if filled[0] == filled[1]:
        return f"{said}; without empty lines both have {filled[0]:,}; remove the empty ones that have no counterpart"
    line = parting_line(*sides)
    if line > min(map(len, sides)):
        longer = source if len(sides[0]) > len(sides[1]) else target
        return f"{said}; the lines of {longer} from {line:,} on have no counterpart; add it, or remove them"
    shown = " beside ".join(repr(next(islice(side, line - 1, None)).strip()[:SHOWN]) for side in sides)
    return f"{said}; by the lengths of lines they part ways near line {line:,} ({shown}); mend it there"
