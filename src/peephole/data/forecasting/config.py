"""The settings of series of numbers. Imports nothing heavy: `peephole --help` shows them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from peephole.errors import InputError

Fill = Literal["refuse", "linear", "last"]
Twice = Literal["refuse", "first", "mean"]
Decimal = Literal[".", ","]
Transform = Literal["none", "log"]
Level = Literal["last", "mean", "season", "none"]
Calendar = Literal["hour", "weekday", "monthday", "month"]


@dataclass(frozen=True)
class ForecastingData:
    """Which series to read, how to split them, and which windows to cut.

    Raises:
        InputError: a setting lies outside its range.
    """

    # Tables (.csv, .tsv, .parquet) with a row a step, in order of time.
    files: tuple[Path, ...] = ()

    # Column with the time of a row: a number or a date. auto: the first one whose name or content says so; none: rows
    # follow each other at even distances.
    time_column: str = "auto"

    # How dates are written, as in Python's strptime: "%d.%m.%Y %H:%M". Without it ISO 8601, also with / or a month.
    time_format: str | None = None

    # What stands before the decimals of a number.
    decimal: Decimal = "."

    # Column with the name of the series that a row belongs to, where a table holds several one below the other.
    series_column: str | None = None

    # Columns to forecast. Default: every column that has no other purpose.
    columns: tuple[str, ...] = ()

    # Columns that are known ahead, such as prices or holidays: the net is told them for the steps that it forecasts.
    covariates: tuple[str, ...] = ()

    # What to tell the net of the date, also of the steps that it forecasts, as sine and cosine.
    calendar: tuple[Calendar, ...] = ()

    # What to do about missing rows and numbers: refuse them, draw a line between those around, or repeat the last.
    fill: Fill = "refuse"

    # What to do about a time that is there twice: refuse it, keep the first row, or take the mean. Clocks that are put
    # back in autumn make such rows.
    twice: Twice = "refuse"

    # Steps to forecast.
    horizon: int = 24

    # Steps that a forecast is made from. 0: whole seasons, four or as many as the horizon has; without a season twice
    # the horizon, at least 24.
    context: int = 0

    # Steps after which a pattern comes again, 24 of hours. 0: found by the autocorrelation of the training part.
    season: int = 0

    # Rows of each series for training, held out and test, in order: 8640 2880 2880; or shares: 0.7 0.1 0.2. Rows after
    # them are left out. Default: by the two options below.
    split: tuple[float, ...] = ()

    # Rows at the end of each series that are never learned from and never chosen by.
    test_rows: int = 0

    # Rows before those to choose the best weights by. -1: a tenth, at least the horizon. 0: none, the last weights
    # are kept.
    held_out_rows: int = -1

    # log forecasts the logarithm of a series of positive numbers, which suits growth by a share.
    transform: Transform = "none"

    # What is taken off a window before the net sees it and added to its forecast, so that a level that was never seen
    # does no harm: the last value, the mean, or what stood there a season before. Last did best on held-out data.
    level: Level = "last"

    # Steps from one forecast to the next where forecasts are measured. 1 measures every window that there is.
    rolling: int = 1

    def __post_init__(self) -> None:
        for name, least in (("horizon", 1), ("rolling", 1), ("context", 0), ("season", 0), ("test_rows", 0)):
            if getattr(self, name) < least:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected {least} or more")
        if self.held_out_rows < -1:
            raise InputError(f"--held-out-rows is {self.held_out_rows}; expected rows, 0 for none or -1 for a tenth")
        kinds = {"fill": Fill, "twice": Twice, "decimal": Decimal, "transform": Transform, "level": Level}
        for name, kind in kinds.items():
            if getattr(self, name) not in get_args(kind):
                raise InputError(f"--{name} is {getattr(self, name)!r}; expected one of {', '.join(get_args(kind))}")
        unknown = [name for name in self.calendar if name not in get_args(Calendar)]
        if unknown:
            raise InputError(f"--calendar is {unknown[0]!r}; expected some of {', '.join(get_args(Calendar))}")
        self._check_split()

    def _check_split(self) -> None:
        if not self.split:
            return
        if self.test_rows or self.held_out_rows != -1:
            raise InputError("--split came with --test-rows or --held-out-rows; give the split, or those")
        shown = " ".join(f"{size:g}" for size in self.split)
        if len(self.split) > 3 or min(self.split) < 0 or self.split[:1] == (0,):
            raise InputError(f"--split is {shown}; expected rows, or shares, of training, held-out part and test")
        whole = all(size == int(size) and size != 1 for size in self.split)
        if not whole and not sum(self.split) <= 1 + 1e-9:
            raise InputError(f"--split is {shown}; expected whole rows, or shares that make at most 1")
