"""`Series`: one quantity over time at even distances, and how tables become some."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peephole.data.forecasting.clock import Clock, Time
from peephole.data.forecasting.columns import Columns, times_of
from peephole.data.forecasting.config import ForecastingData
from peephole.data.forecasting.filling import filled, on_grid
from peephole.data.forecasting.tables import Table
from peephole.errors import InputError


@dataclass(frozen=True, eq=False)
class Series:
    """One quantity over time.

    Attributes:
        name: its column, or the name in the table, or both.
        place: where its first row stands.
        times: of each row.
        values: `[T]`, as in the table.
        covariates: what is known ahead, `[T + known, K]`; `known` steps more than there are values.
        clock: how far two rows are apart.
        filled: values that were missing and have been filled in.
    """

    name: str
    place: str
    times: list[Time]
    values: NDArray[np.float64]
    covariates: NDArray[np.float64]
    clock: Clock
    filled: int = 0
    notes: tuple[str, ...] = ()


def series_of(table: Table, columns: Columns, data: ForecastingData, clock: Clock | None = None) -> list[Series]:
    """The series of a table, in order; rows at the end without a value are steps to forecast.

    Raises:
        InputError: times out of order, twice or missing, a missing number, unless the settings say what to do about it.
    """
    found: list[Series] = []
    times = times_of(table, columns, data.time_format)
    cells = np.stack([table.numbers(column) for column in (*columns.targets, *columns.covariates)], 1)
    for name, rows in _groups(table, columns.series):
        mine: list[Time] = [float(step) if times is None else times[row] for step, row in enumerate(rows.tolist())]
        found += _of_rows(table, columns, data, name, rows, mine, cells[rows], clock)
        clock = clock or found[-1].clock
    return found


def _groups(table: Table, column: str | None) -> list[tuple[str, NDArray[np.int64]]]:
    """The rows of each series, in the order in which they first appear."""
    if column is None:
        return [("", np.arange(len(table)))]
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(table.texts(column)):
        if not name.strip():
            raise InputError(f"{table.place(row)}: no name of a series; expected one in each row; fill it in")
        rows.setdefault(name.strip(), []).append(row)
    return [(name, np.array(numbers)) for name, numbers in rows.items()]


def _of_rows(
    table: Table,
    columns: Columns,
    data: ForecastingData,
    name: str,
    rows: NDArray[np.int64],
    times: list[Time],
    cells: NDArray[np.float64],
    clock: Clock | None,
) -> list[Series]:
    """Each column of some rows, `cells` `[T, columns]`, as a series, all on one grid of times."""
    clock = Clock.of(times) if clock is None else clock
    wanted = [*columns.targets, *columns.covariates]
    grid = on_grid(table, rows, times, clock, cells, data, name)
    targets = len(columns.targets)
    known = _known_ahead(grid.cells[:, :targets])
    end = len(grid.cells) - known
    if not end:
        raise InputError(
            f"{table.path}: {name or columns.targets[0]!r} has no value; expected numbers to forecast from"
        )
    covariates, _ = filled(table, grid, slice(targets, None), len(grid.cells), data.fill, wanted)
    found: list[Series] = []
    for place, column in enumerate(columns.targets):
        values, count = filled(table, grid, slice(place, place + 1), end, data.fill, wanted)
        label = f"{name}/{column}" if name and targets > 1 else name or column
        found.append(
            Series(
                label, table.place(int(rows[0])), grid.times[:end], values[:, 0], covariates, clock, count, grid.notes
            )
        )
    return found


def _known_ahead(targets: NDArray[np.float64]) -> int:
    """How many rows at the end have no value at all."""
    there = np.flatnonzero(~np.isnan(targets).all(1))
    return len(targets) - (int(there[-1]) + 1 if len(there) else 0)


def names_of(series: Sequence[Series]) -> list[str]:
    """The names of series. `InputError` where two have the same."""
    names = [one.name for one in series]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise InputError(f"two series are called {twice!r}; expected different names; rename one")
    return names
