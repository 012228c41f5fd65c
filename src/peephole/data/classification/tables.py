"""Tables with separators (`.csv`): a row a step ("long"), or a row a sequence ("wide")."""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from peephole.data.classification.config import ClassificationData
from peephole.data.classification.item import Item
from peephole.data.classification.missing import filled
from peephole.errors import InputError

SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class _Row:
    place: str  # file and line, for messages
    cells: list[str]


@dataclass(frozen=True)
class _Columns:
    """Where the columns of a table stand; `label` is None in a table to predict of."""

    names: tuple[str, ...]
    label: int | None
    sequence: int | None
    time: int | None
    features: tuple[int, ...]


def read_table(path: Path, data: ClassificationData, labelled: bool = True) -> Iterator[Item]:
    """The sequences of a table, `[T, I]` each: its feature columns in a long table, one number a step in a wide one.

    In a wide table cells that are empty at the end of a row end its sequence.

    Raises:
        InputError: a missing column, a cell that is no number, missing values unless they are to be interpolated, a
            sequence whose rows stand apart or have several labels, times that do not rise.
    """
    rows = _rows(path, data.encoding)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{path}: an empty table; expected a line with the names of the columns, then rows")
    numbered = data.label_column.isdigit() and data.label_column not in first.cells
    named = not numbered and any(_number(cell) is None for cell in first.cells)
    names = tuple(first.cells) if named else tuple(str(number) for number in range(1, len(first.cells) + 1))
    if not (named or labelled):  # nothing says which column would be the label's: there is none
        data = replace(data, label_column="")
    columns = _columns(names, first.place, data, labelled)
    if not named:
        rows = _with_first(first, rows)
    yield from (_wide if columns.sequence is None else _long)(rows, columns, data.missing)


def feature_names(path: Path, data: ClassificationData) -> tuple[str, ...]:
    """The names of the features of a long table; empty of a wide one."""
    first = next(_rows(path, data.encoding), None)
    if first is None or data.sequence_column not in first.cells:
        return ()
    columns = _columns(tuple(first.cells), first.place, data, False)
    return tuple(columns.names[index] for index in columns.features)


def check_features(paths: Iterable[Path], data: ClassificationData, expected: tuple[str, ...]) -> None:
    """Raise `InputError` for a long table whose features are not the `expected` ones, in their order."""
    for path in paths:
        names = feature_names(path, data)
        if names and expected and names != expected:
            raise InputError(
                f"{path}: columns {_some(names)}; expected those of training, {_some(expected)}, in this order; "
                "pass --ignore for others"
            )


def _rows(path: Path, encoding: str) -> Iterator[_Row]:
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
                yield _Row(place, [cell.strip() for cell in cells])
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a table") from None
    except csv.Error as error:
        raise InputError(f"{path}: {error}; expected a table with separators; mend it") from None
    except (UnicodeError, LookupError) as error:
        raise InputError(f"{path}: not {encoding} ({error}); pass --encoding, for example --encoding latin-1") from None


def _with_first(first: _Row, rows: Iterator[_Row]) -> Iterator[_Row]:
    yield first
    yield from rows


def _columns(names: tuple[str, ...], place: str, data: ClassificationData, labelled: bool) -> _Columns:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{place}: two columns are called {twice!r}; expected different names; rename one")
    for name in data.ignore:
        if labelled and name not in names:
            raise InputError(f"{place}: no column {name!r} to ignore; expected one of {_some(names)}")
    found = {
        role: names.index(name) if name in names else None
        for role, name in (
            ("label", data.label_column),
            ("sequence", data.sequence_column),
            ("time", data.time_column),
        )
    }
    if found["label"] is None and labelled:
        raise InputError(
            f"{place}: no column {data.label_column!r}; expected the label's among {_some(names)}; pass --label-column"
        )
    left_out = {index for index in found.values() if index is not None}
    left_out |= {names.index(name) for name in data.ignore if name in names}
    features = tuple(index for index in range(len(names)) if index not in left_out)
    if not features:
        raise InputError(f"{place}: no column left to learn from; expected numbers besides {_some(names)}")
    return _Columns(names, found["label"], found["sequence"], found["time"], features)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def _wide(rows: Iterator[_Row], columns: _Columns, missing: str) -> Iterator[Item]:
    for row in rows:
        cells = [row.cells[index] for index in columns.features]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            raise InputError(f"{row.place}: a sequence without a value; expected numbers; leave the row out")
        values = [_value(cell, row, columns.names[columns.features[step]], missing) for step, cell in enumerate(cells)]
        yield _item(row.place, _label(row, columns), [[value] for value in values])


def _long(rows: Iterator[_Row], columns: _Columns, missing: str) -> Iterator[Item]:
    assert columns.sequence is not None
    ended: set[str] = set()
    name, place, label, time = None, "", None, -math.inf
    steps: list[list[float]] = []
    for row in rows:
        this = row.cells[columns.sequence]
        if not this:
            raise InputError(f"{row.place}: no name of a sequence; expected one in each row; fill it in")
        if this != name:
            if name is not None:
                yield _item(place, label, steps)
                ended.add(name)
            if this in ended:
                raise InputError(
                    f"{row.place}: sequence {this!r} again, after another; expected its rows together; sort the table"
                )
            name, place, label, steps, time = this, f"{row.place} ({this})", _label(row, columns), [], -math.inf
        elif _label(row, columns) != label:
            raise InputError(
                f"{row.place}: label {_label(row, columns)!r} in sequence {this!r}; expected {label!r}, as above"
            )
        if columns.time is not None:
            before, time = time, _time(row.cells[columns.time], row)
            if not time > before:
                raise InputError(
                    f"{row.place}: time {row.cells[columns.time]}; expected one after the row above; sort the table"
                )
        steps.append([_value(row.cells[index], row, columns.names[index], missing) for index in columns.features])
    if name is not None:
        yield _item(place, label, steps)


def _item(place: str, label: str | None, steps: list[list[float]]) -> Item:
    values = np.array(steps, np.float32)
    return Item(place, label, filled(values), int(np.isnan(values).sum()))


def _label(row: _Row, columns: _Columns) -> str | None:
    if columns.label is None:
        return None
    label = row.cells[columns.label]
    if not label:
        raise InputError(f"{row.place}: no label; expected one in each row; fill it in or leave the row out")
    return label


def _value(cell: str, row: _Row, column: str, missing: str) -> float:
    value = math.nan if cell in ("", "?") else _number(cell)
    if value is None:
        raise InputError(f"{row.place}, column {column!r}: got {cell[:40]!r}; expected a number; or pass --ignore")
    if math.isnan(value) and missing != "interpolate":
        raise InputError(
            f"{row.place}, column {column!r}: a missing value; expected a number; pass --missing interpolate"
        )
    if not abs(value) < 3e38 and not math.isnan(value):  # what float32 holds
        raise InputError(f"{row.place}, column {column!r}: got {cell}; expected a number below 3e38")
    return value


def _time(cell: str, row: _Row) -> float:
    """A number, or seconds of a date, local where it names no zone."""
    value = _number(cell)
    if value is None:
        try:
            return datetime.fromisoformat(cell).timestamp()
        except ValueError:
            pass
    if value is None or math.isnan(value):
        raise InputError(
            f"{row.place}: time {cell!r}; expected a number or a date such as 2024-05-01 13:00; mend it, or name "
            "another --time-column"
        )
    return value


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
