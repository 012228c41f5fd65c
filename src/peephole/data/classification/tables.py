"""Tables with separators (`.csv`): a row a step ("long"), or a row a sequence ("wide")."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from peephole.data.classification.config import ClassificationData
from peephole.data.classification.item import Item
from peephole.data.classification.missing import filled
from peephole.data.classification.table_columns import Columns, columns_of
from peephole.data.classification.table_rows import Row, number_in, rows_of
from peephole.errors import InputError


def read_table(path: Path, data: ClassificationData, labelled: bool = True) -> Iterator[Item]:
    """The sequences of a table, `[T, I]` each: its feature columns in a long table, one number a step in a wide one.

    In a wide table cells that are empty at the end of a row end its sequence.

    Raises:
        InputError: a missing column, a cell that is no number, missing values unless they are to be interpolated, a
            sequence whose rows stand apart or have several labels, times that do not rise.
    """
    rows = rows_of(path, data.encoding)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{path}: an empty table; expected a line with the names of the columns, then rows")
    numbered = data.label_column.isdigit() and data.label_column not in first.cells
    named = not numbered and any(number_in(cell) is None for cell in first.cells)
    names = tuple(first.cells) if named else tuple(str(number) for number in range(1, len(first.cells) + 1))
    if not (named or labelled):  # nothing says which column would be the label's: there is none
        data = replace(data, label_column="")
    columns = columns_of(names, first.place, data, labelled)
    if not named:
        rows = _with_first(first, rows)
    yield from (_wide if columns.sequence is None else _long)(rows, columns, data.missing)


def _with_first(first: Row, rows: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def _wide(rows: Iterator[Row], columns: Columns, missing: str) -> Iterator[Item]:
    for row in rows:
        cells = [row.cells[index] for index in columns.features]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            raise InputError(f"{row.place}: a sequence without a value; expected numbers; leave the row out")
        values = [_value(cell, row, columns.names[columns.features[step]], missing) for step, cell in enumerate(cells)]
        yield _item(row.place, _label(row, columns), [[value] for value in values])


def _long(rows: Iterator[Row], columns: Columns, missing: str) -> Iterator[Item]:
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


def _label(row: Row, columns: Columns) -> str | None:
    if columns.label is None:
        return None
    label = row.cells[columns.label]
    if not label:
        raise InputError(f"{row.place}: no label; expected one in each row; fill it in or leave the row out")
    return label


def _value(cell: str, row: Row, column: str, missing: str) -> float:
    value = math.nan if cell in ("", "?") else number_in(cell)
    if value is None:
        raise InputError(f"{row.place}, column {column!r}: got {cell[:40]!r}; expected a number; or pass --ignore")
    if math.isnan(value) and missing != "interpolate":
        raise InputError(
            f"{row.place}, column {column!r}: a missing value; expected a number; pass --missing interpolate"
        )
    if not abs(value) < 3e38 and not math.isnan(value):  # what float32 holds
        raise InputError(f"{row.place}, column {column!r}: got {cell}; expected a number below 3e38")
    return value


def _time(cell: str, row: Row) -> float:
    """A number, or seconds of a date, local where it names no zone."""
    value = number_in(cell)
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
