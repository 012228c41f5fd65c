"""Tables from files: columns of text or numbers, and where each row stands."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.forecasting.config import Decimal
from peephole.errors import InputError

if TYPE_CHECKING:
    import polars

SEPARATORS = ",;\t|"
MISSING = ("", "nan", "na", "n/a", "null", "none", "?")


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, with where their rows stand in a file."""

    path: Path
    frame: "polars.DataFrame"
    lines: bool  # whether the file has lines, the header the first of them
    decimal: Decimal = "."
    first: int = 0  # rows of the file before the first of these

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return self.frame.columns

    def __len__(self) -> int:
        return len(self.frame)

    def place(self, row: int) -> str:
        """File and line of a row that is counted from 0."""
        row += self.first
        return f"{self.path}, line {row + 2}" if self.lines else f"{self.path}, row {row + 1}"

    def texts(self, name: str) -> list[str]:
        """A column as text, empty where nothing is there."""
        import polars

        return self.frame[name].cast(polars.String).fill_null("").to_list()

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as numbers `[T]`, NaN where one is missing. `InputError` for what is neither."""
        import polars

        column = self.frame[name]
        if column.dtype.is_temporal() or column.dtype.is_nested():
            raise InputError(
                f"{self.path}: column {name!r} holds {column.dtype}; expected numbers; leave it out by --columns"
            )
        if column.dtype == polars.String and self.decimal == ",":
            column = column.str.replace(",", ".", literal=True)
        found = column.cast(polars.Float64, strict=False)
        values = found.fill_null(float("nan")).to_numpy().astype(np.float64)
        if column.dtype == polars.String:
            for row in np.flatnonzero(np.isnan(values)):
                cell = (column[int(row)] or "").strip()
                if cell.lower() not in MISSING:
                    values[row] = self._number(cell, int(row), name)
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise InputError(f"{self.place(row)}, column {name!r}: an infinite number; expected a finite one; mend it")
        return values

    def _number(self, cell: str, row: int, name: str) -> float:
        try:
            return float(cell)
        except ValueError:
            raise InputError(
                f"{self.place(row)}, column {name!r}: got {cell[:40]!r}; expected a number; mend it, pass --decimal , "
                "where numbers have commas, or name the columns to forecast by --columns"
            ) from None


def read_table(path: Path, decimal: Decimal = ".") -> Table:
    """A table of text (.csv, .tsv and any other name, with a header) or in Parquet (.parquet).

    Raises:
        InputError: polars is missing, a file that cannot be read, rows of different width, two columns of one name.
    """
    polars = _polars()
    parquet = path.suffix.lower() in (".parquet", ".pq")
    try:
        if parquet:
            frame = polars.read_parquet(path)
        else:
            separator = _separator(path)
            _check_names(path, separator)
            frame = polars.read_csv(path, separator=separator, infer_schema=False)
            while len(frame) and not any(frame.row(-1)):  # empty lines at the end
                frame = frame[:-1]
            if not frame.is_empty() and frame[:, -1].null_count():  # a row may have been too short
                _check_widths(path, separator)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); expected a table") from None
    except polars.exceptions.PolarsError as error:
        if not parquet:
            _check_widths(path, _separator(path))
        reason = str(error).splitlines()[0][:120]
        raise InputError(
            f"{path}: {reason}; expected a table with the names of its columns in the first line"
        ) from None
    if frame.is_empty():
        raise InputError(f"{path}: a table without rows; expected a row a step")
    return Table(path, frame.rename(str.strip), not parquet, decimal)


def table_of(
    rows: Sequence[Sequence[str]], names: Sequence[str], name: str, first: int, decimal: Decimal = "."
) -> Table:
    """A table of rows that came from elsewhere, for complaints called `name`, with `first` rows before them."""
    columns = {column: [row[place] for row in rows] for place, column in enumerate(names)}
    return Table(Path(name), _polars().DataFrame(columns), True, decimal, first)


def _polars() -> Any:
    try:
        import polars
    except ImportError:
        raise InputError("tables need polars, which is not installed; pip install 'peephole[tables]'") from None
    return polars


def _separator(path: Path) -> str:
    """The separator that is most frequent in the first line."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            head = file.readline()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8") from None
    if not head.strip():
        raise InputError(f"{path}: begins without the names of its columns; expected them in the first line")
    return max(SEPARATORS, key=head.count)


def _check_names(path: Path, separator: str) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = [name.strip() for name in next(csv.reader(file, delimiter=separator))]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise InputError(f"{path}, line 1: two columns are called {twice!r}; expected a name for each; rename one")


def _check_widths(path: Path, separator: str) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        header = next(reader)
        for cells in reader:
            if cells and len(cells) != len(header):
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells; expected {len(header)}, as in the first "
                    "line; mend it"
                )
