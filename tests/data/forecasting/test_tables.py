"""Tables to series, and what is wrong with tables: each with its file and line."""

from pathlib import Path

import numpy as np
import pytest

from peephole.data.forecasting.config import ForecastingData
from peephole.data.forecasting.reading import read_series
from peephole.errors import InputError

pytest.importorskip("polars")


def written(folder: Path, *lines: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def hourly(*rows: tuple[int, str], header: str = "date,load") -> tuple[str, ...]:
    return (header, *(f"2024-03-01 {hour:02d}:00,{value}" for hour, value in rows))


def test_every_other_column_is_a_series(tmp_path: Path) -> None:
    path = written(tmp_path, "date;a;b", "2024-03-01;1;4", "2024-03-02;2;5", "2024-03-03;3;6")
    series, columns, clock = read_series((path,), ForecastingData())
    assert [one.name for one in series] == ["a", "b"]
    assert columns.time == "date"
    assert clock.step == "1 day"
    assert series[1].values.tolist() == [4.0, 5.0, 6.0]


def test_decimals_after_a_comma(tmp_path: Path) -> None:
    path = written(tmp_path, "date;a", "2024-03-01;1,5", "2024-03-02;2", "2024-03-03;-0,25")
    (series,), *_ = read_series((path,), ForecastingData(decimal=","))
    assert series.values.tolist() == [1.5, 2.0, -0.25]
    with pytest.raises(InputError, match=r"line 2, column 'a': got '1,5'; expected .* pass --decimal ,"):
        read_series((path,), ForecastingData())


def test_a_long_table_has_series_below_each_other(tmp_path: Path) -> None:
    rows = [f"{name},{time},{value}" for name, value in (("x", 1), ("y", 2)) for time in range(3)]
    series, *_ = read_series((written(tmp_path, "id,time,v", *rows),), ForecastingData(series_column="id"))
    assert [(one.name, one.values.tolist()) for one in series] == [("x", [1.0] * 3), ("y", [2.0] * 3)]


def test_parquet_is_the_same_as_text(tmp_path: Path) -> None:
    import polars

    path = written(tmp_path, *hourly((0, "1"), (1, "2.5"), (2, "3")))
    polars.read_csv(path, try_parse_dates=True).write_parquet(tmp_path / "a.parquet")
    (text,), _, clock = read_series((path,), ForecastingData())
    (parquet,), _, other = read_series((tmp_path / "a.parquet",), ForecastingData())
    assert clock == other
    assert text.values.tolist() == parquet.values.tolist()


def test_rows_without_a_value_at_the_end_are_to_forecast(tmp_path: Path) -> None:
    path = written(tmp_path, "date,load,price", "2024-03-01,1,7", "2024-03-02,2,8", "2024-03-03,,9")
    (series,), *_ = read_series((path,), ForecastingData(covariates=("price",)))
    assert series.values.tolist() == [1.0, 2.0]
    assert series.covariates[:, 0].tolist() == [7.0, 8.0, 9.0]


def test_missing_times_are_filled_and_said(tmp_path: Path) -> None:
    path = written(tmp_path, *hourly((0, "1"), (1, "2"), (2, "3"), (5, "9")))
    (linear,), *_ = read_series((path,), ForecastingData(fill="linear"))
    (last,), *_ = read_series((path,), ForecastingData(fill="last"))
    assert np.allclose(linear.values, [1, 2, 3, 5, 7, 9])
    assert last.values.tolist() == [1, 2, 3, 3, 3, 9]
    assert linear.filled == 2
    assert linear.notes == ("2 missing times filled (linear): 2024-03-01 03:00:00, 2024-03-01 04:00:00",)


@pytest.mark.parametrize(("twice", "value"), [("first", 2.0), ("mean", 4.0)])
def test_a_time_that_is_there_twice(tmp_path: Path, twice: str, value: float) -> None:
    path = written(tmp_path, *hourly((0, "1"), (1, "2"), (1, "6"), (2, "3")))
    (series,), *_ = read_series((path,), ForecastingData(twice=twice))  # pyright: ignore[reportArgumentType]
    assert series.values.tolist() == [1.0, value, 3.0]
    assert "1 times there twice" in series.notes[0]


REFUSED = {
    "out of order": (hourly((0, "1"), (2, "2"), (1, "3")), "line 4: time 2024-03-01 01:00:00 after"),
    "twice": (hourly((0, "1"), (1, "2"), (1, "3")), "line 4: time 2024-03-01 01:00:00 is there twice"),
    "missing": (hourly((0, "1"), (1, "2"), (4, "3")), "line 3: 2 times missing, the first 2024-03-01 02:00:00"),
    "not even": (("date,load", "2024-03-01 00:00,1", "2024-03-01 01:00,2", "2024-03-01 02:20,3", "2024-03-01 03:00,3"),
                 "line 4: time 2024-03-01 02:20:00 lies between two steps of 1 hour"),
    "no time": (("date,load", "2024-03-01,1", "soon,2"), "line 3: time 'soon'; expected"),
    "missing value": (hourly((0, "1"), (1, ""), (2, "3")), "line 3, column 'load': a missing value; expected a number"),
    "NaN": (hourly((0, "1"), (1, "NaN"), (2, "3")), "line 3, column 'load': a missing value"),
    "no number": (hourly((0, "1"), (1, "two")), "line 3, column 'load': got 'two'; expected a number"),
    "infinite": (hourly((0, "1"), (1, "inf")), "line 3, column 'load': an infinite number"),
    "cells": (("date,a,b", "2024-03-01,1,2", "2024-03-02,1"), "line 3: 2 cells; expected 3"),
    "more cells": (("date,a,b", "2024-03-01,1,2", "2024-03-02,1,2,3"), "line 3: 4 cells; expected 3"),
    "no rows": (("date,load",), "a table without rows"),
    "nothing to forecast": (("date", "2024-03-01", "2024-03-02"), "no column left to forecast"),
    "empty": (("",), "begins without the names of its columns"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    lines, message = REFUSED[name]
    path = written(tmp_path, *lines)
    with pytest.raises(InputError) as error:
        read_series((path,), ForecastingData())
    assert str(error.value).startswith(f"{path}")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_first_value_that_is_missing_cannot_be_filled(tmp_path: Path) -> None:
    path = written(tmp_path, *hourly((0, ""), (1, "2"), (2, "3")))
    with pytest.raises(InputError, match=r"line 2, column 'load': a missing value; .*nothing stands before it"):
        read_series((path,), ForecastingData(fill="linear"))


def test_two_series_of_one_name_are_refused(tmp_path: Path) -> None:
    one = written(tmp_path, *hourly((0, "1"), (1, "2")))
    (tmp_path / "b").mkdir()
    other = written(tmp_path / "b", *hourly((0, "1"), (1, "2")))
    with pytest.raises(InputError, match="two series are called 'a/load'"):
        read_series((one, other), ForecastingData())


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = written(tmp_path, *hourly((0, "1"), (1, "2")))
    for data in (ForecastingData(columns=("x",)), ForecastingData(covariates=("x",)), ForecastingData(time_column="x")):
        with pytest.raises(InputError, match="no column 'x'; expected"):
            read_series((path,), data)
