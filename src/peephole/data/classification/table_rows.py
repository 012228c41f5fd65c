"""The rows of a table with separators, each with its place for a person to find it."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from peephole.errors import InputError

SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Row:
    """Cells, and file and line for messages."""

    place: str
    cells: list[str]


def rows_of(path: Path, encoding: str) -> Iterator[Row]:
    """The rows that are not empty, cells without white space around them; the separator is the first line's.

    Raises:
        InputError: the file cannot be read, or a row has more or fewer cells than the first.
    """
    try:
        with path.open(encoding="utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding, newline="") as file:
            head = file.readline()
            separator = max(SEPARATORS, key=head.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            width = None
            for cells in reader:
                if not cells:
                    continue
                place = f"{path}, line {reader.line_num}"
                width = len(cells) if width is None else width
                if len(cells) != width:
                    raise InputError(f"{place}: {len(cells)} cells; expected {width}, as in the first line; mend it")
                yield Row(place, [cell.strip() for cell in cells])
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a table") from None
    except csv.Error as error:
        raise InputError(f"{path}: {error}; expected a table with separators; mend it") from None
    except (UnicodeError, LookupError) as error:
        raise InputError(f"{path}: not {encoding} ({error}); pass --encoding, for example --encoding latin-1") from None


def number_in(cell: str) -> float | None:
    """The number in a cell; None where there is none."""
    try:
        return float(cell)
    except ValueError:
        return None
