"""From tables to parts and windows: borders, what is learnt of training alone, levels, what is known ahead."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.data.forecasting.config import ForecastingData
from peephole.data.forecasting.encoding import ForecastingEncoding
from peephole.data.forecasting.preparing import prepare
from peephole.data.forecasting.season import found_season
from peephole.data.forecasting.windows import WindowBatches, Windows
from peephole.data.sequences.store import open_part
from peephole.errors import InputError

pytest.importorskip("polars")


def ramp(folder: Path, rows: int = 60, columns: int = 2) -> Path:
    """Columns that rise by 1 and by 10 a row, and one that is known ahead."""
    lines = ["step," + ",".join(f"c{place}" for place in range(columns)) + ",price"]
    lines += [
        ",".join([str(row), *(str(10**place * row) for place in range(columns)), str(row % 7)]) for row in range(rows)
    ]
    path = folder / "ramp.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def prepared(folder: Path, **changes: Any) -> tuple[ForecastingEncoding, Path]:
    data = ForecastingData(
        files=(ramp(folder),),
        time_column="step",
        columns=("c0", "c1"),
        horizon=4,
        context=8,
        season=3,
        split=(40.0, 10.0, 6.0),
    )
    parts = folder / "data"
    parts.mkdir(exist_ok=True)
    return prepare(replace(data, **changes), parts), parts


def test_parts_begin_with_what_their_first_forecast_reads(tmp_path: Path) -> None:
    encoding, parts = prepared(tmp_path)
    assert encoding.lead == 8
    counts = {name: len(Windows(open_part(parts / name), encoding)) for name in ("train", "held_out", "test")}
    assert counts == {"train": 2 * (40 - 12 + 1), "held_out": 2 * (10 - 4 + 1), "test": 2 * (6 - 4 + 1)}
    test = Windows(open_part(parts / "test"), encoding)
    values = encoding.restored(test.rows(np.array([0]))[0, :, 0], encoding.mean[0], encoding.scale[0])
    assert np.allclose(values, np.arange(42, 54), atol=1e-4)


def test_what_is_learnt_is_of_the_training_part_alone(tmp_path: Path) -> None:
    encoding, _ = prepared(tmp_path)
    assert encoding.mean == pytest.approx((19.5, 195.0))
    assert encoding.scale == pytest.approx((np.arange(40).std(), 10 * np.arange(40).std()))
    assert encoding.seasonal_error == pytest.approx((3.0, 30.0))
    assert ForecastingEncoding.from_dict(json.loads(json.dumps(encoding.as_dict()))) == encoding


@pytest.mark.parametrize("level", ["last", "mean", "season", "none"])
def test_level_and_targets_are_what_came(tmp_path: Path, level: str) -> None:
    encoding, parts = prepared(tmp_path, level=level)
    windows = Windows(open_part(parts / "train"), encoding)
    batch = windows.batch(np.arange(5))
    rows = windows.rows(np.arange(5))[..., 0]
    assert np.allclose((batch.targets + batch.level)[0], rows[:, encoding.lead :], atol=1e-6)
    seen = batch.inputs[..., 0].T.numpy()
    assert seen.shape == (5, 8)
    step = 1 / encoding.scale[0]
    expected = {
        "last": np.arange(-7, 1) * step,
        "mean": (np.arange(8) - 3.5) * step,
        "season": np.full(8, 3 * step),
        "none": rows[0, :8],
    }
    assert np.allclose(seen[0], expected[level], atol=1e-5)
    if level == "season":
        assert np.allclose(batch.targets[0, 0], [3 * step, 3 * step, 3 * step, 6 * step], atol=1e-5)


def test_what_is_known_ahead_is_told_a_horizon_before(tmp_path: Path) -> None:
    encoding, parts = prepared(tmp_path, covariates=("price",))
    assert encoding.features == 3
    batch = Windows(open_part(parts / "train"), encoding).batch(np.array([2]))
    price = np.arange(40) % 7
    known = (price - encoding.covariate_mean[0]) / encoding.covariate_scale[0]
    assert np.allclose(batch.inputs[:, 0, 1], known[2:10], atol=1e-5)
    assert np.allclose(batch.inputs[:, 0, 2], known[6:14], atol=1e-5)


def test_windows_are_those_of_one_series_after_the_other(tmp_path: Path) -> None:
    encoding, parts = prepared(tmp_path)
    windows = Windows(open_part(parts / "held_out"), encoding, 3)
    assert windows.counts.tolist() == [3, 3]
    assert [numbers.tolist() for numbers in windows.of_series(1, 2)] == [[3, 4], [5]]
    whole = Windows(open_part(parts / "held_out"), encoding).rows(np.array([0, 3, 6, 7, 10, 13]))
    assert np.array_equal(windows.rows(np.arange(6)), whole)


def test_a_training_that_goes_on_sees_the_same_windows(tmp_path: Path) -> None:
    encoding, parts = prepared(tmp_path)
    windows = Windows(open_part(parts / "train"), encoding)
    whole = WindowBatches(windows, 6, 1)
    for _ in range(3):
        whole.next()
    again = WindowBatches(windows, 6, 1)
    again.load_state_dict(whole.state_dict())
    assert np.array_equal(whole.next().inputs, again.next().inputs)
    halves = [WindowBatches(windows, 6, 1, rank, 2).next() for rank in (0, 1)]
    assert not np.array_equal(halves[0].inputs, halves[1].inputs)


def test_shares_and_last_rows_split_too(tmp_path: Path) -> None:
    for changes in ({"split": (0.5, 0.3, 0.2)}, {"split": (), "held_out_rows": 18, "test_rows": 12}):
        encoding, parts = prepared(tmp_path, **changes)
        assert [len(open_part(parts / name).inputs) // 2 for name in ("train", "held_out", "test")] == [30, 26, 20]
        assert encoding.mean[0] == pytest.approx(14.5)
        for name in ("train", "held_out", "test"):
            for file in (parts / name).iterdir():
                file.unlink()
            (parts / name).rmdir()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": 60}, "40 rows to train on; expected at least 64, 60 to forecast from and 4 to forecast"),
        ({"split": (40.0, 2.0, 6.0)}, "the held-out part has 2 rows a series; expected at least 4"),
        ({"split": (40.0, 10.0, 3.0)}, "the test part has 3 rows a series; expected at least 4"),
        ({"context": 3, "covariates": ("price",)}, "--context is 3 and --horizon 4; expected a context as long"),
        ({"calendar": ("hour",)}, "times are numbers; --calendar expected dates"),
        ({"transform": "log"}, "c0 is 0 at 0, and that has no logarithm"),
    ],
)
def test_what_cannot_be_windows_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepared(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": (0.5, 0.6)}, "--split is 0.5 0.6; expected"),
        ({"split": (5.0, 5.0), "test_rows": 3}, "--split came with --test-rows"),
        ({"horizon": 0}, "--horizon is 0; expected 1 or more"),
        ({"rolling": 0}, "--rolling is 0; expected 1 or more"),
    ],
)
def test_settings_out_of_range(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ForecastingData(**changes)


def test_series_too_short_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [f"{name},{step},{step}" for name, count in (("long", 40), ("short", 9)) for step in range(count)]
    path = tmp_path / "long.csv"
    path.write_text("\n".join(["id,time,v", *rows]) + "\n")
    parts = tmp_path / "data"
    parts.mkdir()
    encoding = prepare(ForecastingData(files=(path,), series_column="id", horizon=4, context=8, season=1), parts)
    assert encoding.series == ("long",)
    (note,) = json.loads((parts / "series.json").read_text())["notes"]
    assert note == "1 series too short for training, left out: short (9 rows)"
    assert note in caplog.text


@pytest.mark.parametrize("season", [7, 12, 24])
def test_a_season_is_found_under_a_trend_and_noise(season: int) -> None:
    random = np.random.default_rng(season)
    steps = np.arange(20 * season)
    shape = random.normal(size=season)
    found = [shape[steps % season] + 0.05 * steps + 0.5 * random.normal(size=len(steps)) for _ in range(3)]
    assert found_season(found) == season


def test_a_smooth_season_in_noise_is_not_taken_for_a_short_one() -> None:
    steps = np.arange(800)
    noise = np.random.default_rng(0).normal(size=(5, 800))
    wave = np.sin(2 * np.pi * steps / 24) + 0.3 * np.sin(2 * np.pi * steps / 168)
    for amount in (0.0, 0.05, 0.1):
        assert found_season(list(wave + amount * noise)) == 24


def test_noise_and_walks_have_no_season() -> None:
    noise = np.random.default_rng(0).normal(size=(4, 500))
    assert found_season(list(noise)) == 1
    assert found_season(list(noise.cumsum(1))) == 1
    assert found_season([np.zeros(100)]) == 1
