"""Forecasting: a small net beats seasonal naive on series of known noise, and its quantiles hold what they say."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from peephole.data.forecasting.config import ForecastingData
from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.tasks import load
from peephole.tasks.forecasting.forecasting import forecasts
from peephole.tasks.forecasting.measuring import intervals, measured, metrics, together
from peephole.tasks.forecasting.model import ForecastingModel
from peephole.tasks.forecasting.pictures import Coverage, ErrorAhead
from peephole.tasks.forecasting.settings import ForecastingNet, ForecastingTask, ForecastingTraining
from peephole.tasks.forecasting.tracking import Tracking

pytest.importorskip("sklearn")
pytest.importorskip("polars")

SEASON, NOISE = 8, 0.3
SIZES = (600.0, 300.0, 400.0)
NET = ForecastingNet(hidden_size=32, embedding_size=32, dropout=0.0)
TRAINING = ForecastingTraining(steps=200, batch_size=128, learning_rate=1e-2, watch=0)


def seasonal(rows: int, seed: int) -> NDArray[np.float64]:
    """Two series, one of them a hundred times as large: a season, a level that walks, noise. `[rows, 2]`."""
    random = np.random.default_rng(seed)
    steps = np.arange(rows)[:, None] + np.array([0, 3])
    level = (0.02 * random.normal(size=(rows, 2))).cumsum(0)
    values = np.sin(2 * np.pi * steps / SEASON) + level + NOISE * random.normal(size=(rows, 2))
    return values * np.array([1.0, 100.0])


def lines(values: NDArray[np.float64]) -> list[str]:
    stamps = np.datetime64("2024-01-01T00", "h") + np.arange(len(values))
    rows = [f"{stamp},{one:.6f},{other:.6f}" for stamp, (one, other) in zip(stamps.tolist(), values, strict=True)]
    return ["date,small,large", *rows]


def table(path: Path, values: NDArray[np.float64]) -> Path:
    path.write_text("\n".join(lines(values)) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ForecastingModel:
    folder = tmp_path_factory.mktemp("forecasting")
    path = table(folder / "a.csv", seasonal(1300, 0))
    data = ForecastingData(files=(path,), split=SIZES, horizon=8, context=32)
    task = ForecastingTask(data=data, model=NET, training=TRAINING, baseline=True)
    model = ForecastingModel.create(task, folder / "run")
    model.fit()
    mlp = model.mlp()
    assert mlp is not None
    mlp.fit(steps=20)
    return model


def test_a_net_beats_seasonal_naive_and_its_quantiles_hold(trained: ForecastingModel) -> None:
    assert trained.encoding.season == SEASON
    found = trained.measure()
    assert found.part == "test"
    assert set(found.others) == {"mlp", f"seasonal naive ({SEASON} steps)", "last value"}
    naive = found.others[f"seasonal naive ({SEASON} steps)"]
    # of independent noise the best forecast has half the squared error of the last season
    assert found.metrics["MSE"] <= 0.7 * naive["MSE"]
    assert found.metrics["MAE"] < naive["MAE"]
    assert abs(found.metrics["80 % interval %"] - 0.8) <= 0.03
    assert abs(found.metrics["90 % interval %"] - 0.9) <= 0.03
    assert "below every naive method at every step" in dict(found.pictures)["Error by steps ahead"].verdict
    json.dumps(found.as_dict())


def test_pictures_and_tables_are_drawn(trained: ForecastingModel) -> None:
    from peephole.figures import draw

    found = trained.scores("held_out")
    assert [title for title, _ in found.pictures] == ["Forecast", "Error by steps ahead", "Coverage"]
    for _, result in found.pictures:
        assert result.verdict.endswith(".")
        draw(result.plot)
    assert found.tables[0].rows[0][0] in ("small", "large")
    assert len(found.tables[1].rows) == 8


def test_a_run_opens_as_it_was(trained: ForecastingModel) -> None:
    again = load(trained.run.folder)
    assert isinstance(again, ForecastingModel)
    assert again.task == trained.task
    assert again.scores("test").metrics == trained.scores("test").metrics
    assert any("2 series (small, large) in steps of 1 hour, season of 8 steps" in line for line in again.describe())


def test_a_file_is_forecast_from_its_end(trained: ForecastingModel, tmp_path: Path) -> None:
    values = seasonal(1300, 0)
    answers = list(trained.predict([table(tmp_path / "b.csv", values[:1000])]))
    assert [answer.series for answer in answers] == ["small", "large"]
    first = answers[0]
    assert first.times[0] == "2024-02-11 16:00:00"
    assert first.text.splitlines()[0] == "series,time,forecast,q0.05,q0.1,q0.9,q0.95"
    assert (np.diff(first.quantiles, axis=1) >= 0).all()
    for place, answer in enumerate(answers):
        came = values[1000:1008, place]
        assert np.abs(answer.quantiles[:, 2] - came).mean() < 0.8 * came.std()
        said = answer.as_dict()
        assert said["forecast"] == said["quantiles"]["0.5"]


def test_a_stream_forecasts_after_every_row(trained: ForecastingModel, tmp_path: Path) -> None:
    values = seasonal(60, 5)
    answers = list(trained.follow(iter(line + "\n" for line in lines(values)), "standard input"))
    assert len(answers) == 2 * (60 - 32 + 1)
    assert [answer.header for answer in answers[:3]] == [True, False, False]
    from_file = list(trained.predict([table(tmp_path / "c.csv", values[:32])]))
    for streamed, filed in zip(answers[:2], from_file, strict=True):
        assert streamed.times == filed.times
        assert np.allclose(streamed.quantiles, filed.quantiles, atol=1e-4)


def test_a_stream_tracks_as_the_scores_do(trained: ForecastingModel) -> None:
    """Quantiles that follow their coverage are the same forecast by forecast and over a whole part."""
    whole = seasonal(1300, 0)
    part = lines(whole[900 - 32 :])  # as many rows before the test part as a forecast reads
    offsets = trained.offsets("test")
    at_once = list(forecasts(trained.model, trained.windows("test"), trained.tracking, offsets))
    answers = list(trained.follow(iter(line + "\n" for line in part[:93]), "standard input"))
    for place, found in enumerate(at_once):
        expected = trained.encoding.restored(
            found.quantiles[:61], trained.encoding.mean[place], trained.encoding.scale[place]
        )
        streamed = np.stack([answer.quantiles for answer in answers[place::2]])
        assert np.abs(streamed - expected).max() <= 1e-3 * trained.encoding.scale[place]


REFUSED = {
    "empty": ("", "empty; expected a line with the names"),
    "few": ("date,small,large\n2024-01-01,1,2\n", "1 rows; expected at least 32"),
    "cells": ("date,small,large\n2024-01-01,1\n", "line 2: 2 cells; expected 3"),
    "number": ("date,small,large\n2024-01-01 00:00,1,x\n", "line 2, column 'large': got 'x'; expected a number"),
    "columns": ("date,small\n2024-01-01,1\n", "no column 'large'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_stream_that_cannot_be_read(trained: ForecastingModel, name: str) -> None:
    text, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        list(trained.follow(iter(io.StringIO(text)), "standard input"))


def test_files_that_cannot_be_forecast(trained: ForecastingModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"small has 20 rows; expected at least 32"):
        list(trained.predict([table(tmp_path / "short.csv", seasonal(20, 0))]))
    daily = [line.replace("T", " ") for line in lines(seasonal(40, 0))]
    days = [daily[0], *(f"{np.datetime64('2024-01-01') + place},1,2" for place in range(40))]
    (tmp_path / "daily.csv").write_text("\n".join(days) + "\n")
    with pytest.raises(InputError, match=r"times missing|between two steps"):
        list(trained.predict([tmp_path / "daily.csv"]))


def test_what_is_known_ahead_helps(tmp_path: Path) -> None:
    """A series that follows a column of coin flips can be forecast from that column alone."""
    flips = np.random.default_rng(0).integers(2, size=500)
    rows = [f"{step},{2 * flip + 0.1 * np.sin(step):.4f},{flip}" for step, flip in enumerate(flips)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["step,load,open", *rows]) + "\n")
    data = ForecastingData(
        files=(path,), time_column="step", columns=("load",), covariates=("open",), horizon=4, context=8, test_rows=50
    )
    model = ForecastingModel.create(
        ForecastingTask(data=data, model=replace(NET, divergence="l2"), training=TRAINING), tmp_path / "run"
    )
    model.fit()
    assert model.scores("test").metrics["MSE"] < 0.1, "a coin flip that is not known has a squared error of about 1"
    (tmp_path / "b.csv").write_text(
        "\n".join(["step,load,open", *rows[:40], *(f"{40 + k},,1" for k in range(4))]) + "\n"
    )
    (answer,) = model.predict([tmp_path / "b.csv"])
    assert np.abs(answer.quantiles[:, 0] - 2).max() < 0.6
    with pytest.raises(InputError, match="load has 0 rows without a value at its end; expected 4, with open"):
        list(model.predict([path]))
    with pytest.raises(InputError, match="which a stream does not know"):
        list(model.follow(iter(["step,load,open\n"]), "standard input"))


def test_stopped_and_gone_on_is_the_same(trained: ForecastingModel, tmp_path: Path) -> None:
    task = replace(trained.task, baseline=False, training=replace(TRAINING, steps=12, schedule="constant"))
    whole, halves = (ForecastingModel.create(task, tmp_path / name) for name in ("whole", "halves"))
    whole.fit()
    halves.fit(steps=5)
    again = ForecastingModel.resume(Run.open(halves.run.folder))
    again.fit(steps=12)
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert bool((one == other).all())


def test_tracking_brings_coverage_to_what_it_should_be() -> None:
    """Quantiles of a noise that has doubled: in the long run the share below each becomes right at every step ahead."""
    random = np.random.default_rng(0)
    noise = 2 * random.normal(size=4003).astype(np.float32)
    truth = np.lib.stride_tricks.sliding_window_view(noise, 4)
    shares = (0.1, 0.5, 0.9)
    quantiles = np.broadcast_to(np.float32([-1.28, 0.0, 1.28]), (4000, 4, 3)).copy()
    tracking = Tracking(shares, 0.005, 1)
    moved, after = tracking.through(quantiles, truth, tracking.start(4))
    below = (truth[1000:, :, None] < moved[1000:]).mean(0)
    assert np.abs(below - shares).max() <= 0.01
    assert np.array_equal(moved[..., 1], quantiles[..., 1]), "the forecast itself stays"
    assert np.abs(after.own[:, 0] + after.shared[0] + 0.5).max() < 0.1, "half a width more on each side"
    assert np.array_equal(moved[0], quantiles[0]), "nothing is known before the first value"
    rest, _ = tracking.through(quantiles[:3], truth[:3], tracking.start(4))
    assert np.array_equal(rest, moved[:3]), "what comes later changes nothing"


def test_metrics_of_known_errors() -> None:
    truth = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = measured(truth + 1.0, truth, 2.0, 0.5, np.stack([truth - 1, truth + 1, truth + 3], -1), (0.1, 0.5, 0.9))
    named = metrics(found, (0.1, 0.5, 0.9), ("load", 2.0))
    assert named["MSE"] == pytest.approx(0.25)
    assert named["RMSE, load"] == pytest.approx(1.0)
    assert named["MASE"] == pytest.approx(2.0)
    assert named["80 % interval %"] == 1.0
    assert named["pinball"] == pytest.approx(2 * (0.1 + 0.5 + 0.3) / 3 / 2)
    assert together([found, found]).windows == 4
    assert intervals((0.05, 0.1, 0.5, 0.9, 0.95)) == {0.8: (1, 3), 0.9: (0, 4)}


def test_verdicts_say_what_is_off() -> None:
    below = np.array([[0.1, 0.5, 0.9], [0.2, 0.5, 0.8]])
    assert Coverage((0.1, 0.5, 0.9), below).verdict == (
        "80 % interval 70.0%; furthest off 2 steps ahead, 60.0% in that of 80 %."
    )
    errors = {"this net": np.array([0.5, 2.0]), "last value": np.array([1.0, 1.0])}
    assert ErrorAhead(errors).verdict.endswith("at 1 of 2 steps a naive method is no worse.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantiles": (0.1, 0.9)}, "expected 0.5, the forecast itself"),
        ({"quantiles": (0.5, 0.1)}, "expected rising numbers between 0 and 1"),
        ({"segment": -1}, "--segment is -1"),
        ({"tracking": 1.0}, "--tracking is 1.0; expected 0 to below 1"),
    ],
)
def test_settings_out_of_range(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(NET, **changes)


def test_segments_are_seasons_where_windows_have_whole_ones() -> None:
    assert NET.segment_of(96, 24) == 24
    assert NET.segment_of(36, 12) == 12
    assert NET.segment_of(50, 12) == 10
    assert NET.segment_of(336, 168) == 24
    assert replace(NET, segment=5).segment_of(96, 24) == 5


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
