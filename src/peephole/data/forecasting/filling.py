"""Rows at even distances: what is out of order, twice or missing, and what is done about it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peephole.data.forecasting.clock import Clock, Time
from peephole.data.forecasting.config import Fill, ForecastingData
from peephole.data.forecasting.tables import Table
from peephole.errors import InputError

NAMED = 3  # missing or doubled times that are named


@dataclass(frozen=True, eq=False)
class Grid:
    """Rows at even distances: `cells [T, columns]`, NaN where one is missing; `rows` are -1 where none was there."""

    times: list[Time]
    cells: NDArray[np.float64]
    rows: NDArray[np.int64]
    notes: tuple[str, ...]


def on_grid(
    table: Table,
    rows: NDArray[np.int64],
    times: list[Time],
    clock: Clock,
    cells: NDArray[np.float64],
    data: ForecastingData,
    name: str,
) -> Grid:
    """Put rows where their times belong.

    Raises:
        InputError: a time before the one above it, between two steps, there twice, or missing, unless told what to do.
    """
    positions = clock.positions(times)
    whole = np.round(positions - positions[0]).astype(np.int64)
    apart = np.diff(positions)
    notes: list[str] = []
    if (apart < 0).any():
        row = int(np.flatnonzero(apart < 0)[0]) + 1
        raise InputError(
            f"{table.place(int(rows[row]))}: time {clock.text(times[row])} after {clock.text(times[row - 1])}; "
            "expected times that rise; sort the table, or name the series by --series-column"
        )
    if (np.abs(positions - positions[0] - whole) > 0.01).any():
        row = int(np.flatnonzero(np.abs(positions - positions[0] - whole) > 0.01)[0])
        raise InputError(
            f"{table.place(int(rows[row]))}: time {clock.text(times[row])} lies between two steps of {clock.step}; "
            "expected even distances; mend it, or pass --time-column none"
        )
    twice = np.flatnonzero(np.diff(whole) == 0) + 1
    if len(twice):
        named = _named([clock.text(times[row]) for row in twice])
        if data.twice == "refuse":
            raise InputError(
                f"{table.place(int(rows[twice[0]]))}: time {clock.text(times[twice[0]])} is there twice"
                f"{_more(len(twice))}; expected a row a step; mend it, or pass --twice first or mean"
            )
        notes.append(f"{_of(name)}{len(twice):,} times there twice, {data.twice} taken: {named}")
    steps = int(whole[-1]) + 1
    grid = np.full((steps, cells.shape[1]), np.nan)
    places = np.full(steps, -1, np.int64)
    places[whole[::-1]] = rows[::-1]  # of a time that is there twice the first
    grid[whole[::-1]] = cells[::-1]
    for row in twice if data.twice == "mean" else ():
        together = cells[whole == whole[row]]
        known = (~np.isnan(together)).any(0)
        grid[whole[row], known] = np.nanmean(together[:, known], 0)
    missing = np.flatnonzero(places < 0)
    if len(missing):
        before = {int(step): row for row, step in enumerate(whole)}
        texts = [clock.text(clock.later(times[0], int(step))) for step in missing[:NAMED]]
        if data.fill == "refuse":
            last = int(rows[before[int(missing[0]) - 1]])
            raise InputError(
                f"{table.place(last)}: {len(missing):,} times missing, the first {texts[0]}, after this line; "
                f"expected steps of {clock.step}; mend it, or pass --fill linear or last"
            )
        more = f" and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
        notes.append(f"{_of(name)}{len(missing):,} missing times filled ({data.fill}): {', '.join(texts)}{more}")
    at = {int(step): time for step, time in zip(whole, times, strict=True)} if len(missing) or len(twice) else None
    every = times if at is None else [at[s] if s in at else clock.later(times[0], s) for s in range(steps)]
    return Grid(every, grid, places, tuple(notes))


def filled(
    table: Table, grid: Grid, columns: slice, end: int, how: Fill, names: list[str]
) -> tuple[NDArray[np.float64], int]:
    """Some columns up to row `end`, `[end, ·]`, with what was missing filled in, and how many numbers that were.

    Raises:
        InputError: a missing number, with its line, unless `how` says what to do; none before the first.
    """
    cells = grid.cells[:end, columns].copy()
    count = 0
    for place in range(cells.shape[1]):
        missing = np.isnan(cells[:, place])
        if not missing.any():
            continue
        known = np.flatnonzero(~missing)
        first = int(np.flatnonzero(missing)[0])
        column = names[columns.start + place]
        where = table.place(int(grid.rows[first])) if grid.rows[first] >= 0 else str(table.path)
        if how == "refuse" or not len(known) or known[0] > 0:
            remedy = "mend it, or pass --fill linear or last"
            if how != "refuse":
                remedy = "nothing stands before it that could fill it; leave out the rows up to the first number"
            raise InputError(
                f"{where}, column {column!r}: a missing value{_more(int(missing.sum()))}; expected a number; {remedy}"
            )
        rows = np.arange(end)
        if how == "linear":
            cells[:, place] = np.interp(rows, known, cells[known, place])
        else:
            last = np.maximum.accumulate(np.where(missing, 0, rows))
            cells[:, place] = cells[last, place]
        count += int(missing.sum())
    return cells, count


def _named(texts: list[str]) -> str:
    more = f" and {len(texts) - NAMED:,} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more


def _more(count: int) -> str:
    return f", and {count - 1:,} more" if count > 1 else ""


def _of(name: str) -> str:
    return f"{name}: " if name else ""
