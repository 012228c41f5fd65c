"""What the columns of a table are for: the time, the series, what to forecast, what is known ahead."""

from dataclasses import dataclass

from peephole.data.forecasting.clock import Time, read_time
from peephole.data.forecasting.config import ForecastingData
from peephole.data.forecasting.tables import Table
from peephole.errors import InputError

TIMES = ("date", "datetime", "time", "timestamp", "ds", "month", "year", "day", "week", "quarter", "hour", "period")
AS_MANY = 3  # rows whose first cells are looked at to see whether they are dates


@dataclass(frozen=True)
class Columns:
    """Columns by their purpose; `time` is None where rows follow each other at even distances."""

    time: str | None
    series: str | None
    targets: tuple[str, ...]
    covariates: tuple[str, ...]


def columns_of(table: Table, data: ForecastingData) -> Columns:
    """Which column is for what. `InputError` for a name that the table does not have, or nothing to forecast."""
    time = _time_column(table, data)
    asked = [*data.columns, *data.covariates, *([data.series_column] if data.series_column is not None else [])]
    for name in asked:
        if name not in table.names:
            raise InputError(f"{table.path}: no column {name!r}; expected one of {', '.join(table.names[:20])}")
    taken = {time, data.series_column, *data.covariates}
    targets = data.columns or tuple(name for name in table.names if name not in taken)
    for name in targets:
        if name in taken:
            raise InputError(
                f"{table.path}: column {name!r} has two purposes; expected one; leave it out of one of them"
            )
    if not targets:
        raise InputError(f"{table.path}: no column left to forecast; expected numbers besides {', '.join(table.names)}")
    return Columns(time, data.series_column, targets, data.covariates)


def _time_column(table: Table, data: ForecastingData) -> str | None:
    if data.time_column == "none":
        return None
    if data.time_column != "auto":
        if data.time_column not in table.names:
            raise InputError(
                f"{table.path}: no column {data.time_column!r}; expected the time's among "
                f"{', '.join(table.names[:20])}; pass --time-column"
            )
        return data.time_column
    others = {*data.columns, *data.covariates, data.series_column}
    free = [name for name in table.names if name not in others]
    named = next((name for name in free if name.lower() in TIMES), None)
    if named is not None:
        return named
    for name in free:
        cells = table.texts(name)[:AS_MANY]
        if cells and all(not isinstance(read_time(cell, data.time_format), float | None) for cell in cells):
            return name
    return None


def times_of(table: Table, columns: Columns, pattern: str | None) -> list[Time] | None:
    """The times of all rows; None where the table has none. `InputError` for what is no time."""
    if columns.time is None:
        return None
    times: list[Time] = []
    for row, cell in enumerate(table.texts(columns.time)):
        time = read_time(cell, pattern)
        if time is None or (times and isinstance(time, float) != isinstance(times[0], float)):
            raise InputError(
                f"{table.place(row)}: time {cell!r}; expected {_like(times)}; mend it, or pass --time-format"
            )
        times.append(time)
    return times


def _like(times: list[Time]) -> str:
    if times and isinstance(times[0], float):
        return "a number, as above"
    return "a number or a date such as 2024-05-01 13:00"
