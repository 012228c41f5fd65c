"""Series from the tables of a task, all with the same columns and steps."""

from collections.abc import Sequence
from pathlib import Path

from peephole.data.forecasting.clock import Clock
from peephole.data.forecasting.columns import Columns, columns_of
from peephole.data.forecasting.config import ForecastingData
from peephole.data.forecasting.series import Series, names_of, series_of
from peephole.data.forecasting.tables import read_table
from peephole.errors import InputError


def read_series(
    files: Sequence[Path], data: ForecastingData, clock: Clock | None = None
) -> tuple[list[Series], Columns, Clock]:
    """The series of all files, in the columns of the first, and how far their steps are apart.

    Raises:
        InputError: as `series_of`, or two series of one name.
    """
    found: list[Series] = []
    columns: Columns | None = None
    for path in files:
        table = read_table(path, data.decimal)
        mine = columns_of(table, data)
        if columns is not None and (mine.targets, mine.covariates) != (columns.targets, columns.covariates):
            raise InputError(
                f"{path}: columns {', '.join(mine.targets)}; expected those of {files[0]}, {', '.join(columns.targets)}"
            )
        columns = mine
        some = series_of(table, mine, data, clock)
        clock = clock or some[0].clock
        found += some if len(files) == 1 else [_called(one, path.stem) for one in some]
    names_of(found)
    assert columns is not None
    assert clock is not None
    return found, columns, clock


def _called(series: Series, stem: str) -> Series:
    """The series with its file's name before its own."""
    values = {**vars(series), "name": f"{stem}/{series.name}"}
    return Series(**values)
