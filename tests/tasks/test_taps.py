"""Taps beside gates: equal sizes, and what is said of studies whose answer is known."""

import math
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from peephole.data.problems.recall import Recall
from peephole.errors import InputError
from peephole.figures import png
from peephole.runs.rows import Rows
from peephole.tasks.lags import SolvedLag, lag_grid
from peephole.tasks.starts import Start
from peephole.tasks.taps import RNN, settings_of, taps_study
from peephole.tasks.taps_result import TapsNet, TapsStudy
from peephole.train.budget import Budget

LSTM = Start("lstm", "orthogonal", forget_bias=1.0)
TINY = {"budget": Budget(steps=3, batch_size=8), "longest": 4, "hidden_size": 5}


def net(taps: int | None, lag: int, seed: int = 0) -> TapsNet:
    return TapsNet(RNN if taps else LSTM, taps, seed, 8, 1000, 10, SolvedLag(lag, ((2, 5),)))


def study(*nets: TapsNet) -> TapsStudy:
    return TapsStudy(nets, lag_grid(100), Budget())


def test_medians_slope_and_how_many_taps() -> None:
    found = study(net(1, 8, 0), net(1, 11, 1), net(1, 9, 2), net(2, 16), net(4, 32), net(8, 100), net(None, 21))
    assert found.by_taps == {1: 9.0, 2: 16.0, 4: 32.0, 8: 100.0}
    assert found.gated == {"lstm orthogonal, forget bias 1": 21}
    assert [found.taps_for(lag) for lag in (9.0, 10.0, 21.0, 101.0)] == [1, 2, 4, None]
    # (1, 8) (1, 11) (1, 9) (2, 16) (4, 32) (8, 100): about the means (17/6, 88/3) Σxy = 489⅓, Σx² = 38⅚.
    slope, low, high = found.slope
    assert slope == pytest.approx((489 + 1 / 3) / (38 + 5 / 6))
    assert low < slope < high
    assert (low, high) == pytest.approx((slope, slope), abs=0.5)  # only the lags of one tap differ, and by little
    assert (
        "an RNN with 1, 2, 4, 8 taps solves lags up to 9, 16, 32, 100 (medians over seeds), 13 steps" in found.verdict
    )
    assert "the lstm orthogonal, forget bias 1 solves 21 (4 taps)" in found.verdict


def test_what_too_little_cannot_say() -> None:
    found = study(net(1, 9), net(None, 21))
    assert all(map(math.isnan, found.slope))
    assert "steps a tap" not in found.verdict
    assert "solves 21 (more taps than were tried)" in found.verdict
    assert "solves none" in study(net(1, 9), net(None, 0)).verdict


def test_the_figure_shows_every_net() -> None:
    found = study(net(1, 8), net(1, 0, 1), net(2, 16), net(None, 21), net(None, 15, 1))
    ax = Figure().subplots()
    found.plot(ax)
    points = next(line for line in ax.get_lines() if line.get_marker() == "v").get_xydata()
    assert sorted(map(tuple, points.tolist())) == [(1, pytest.approx(2 / 1.4)), (1, 8), (2, 16)]
    assert [line.get_ydata()[0] for line in ax.get_lines() if "lstm" in str(line.get_label())] == [18]
    assert png(ax.figure)


def test_nets_of_one_size_that_go_on_where_they_were_stopped(tmp_path: Path) -> None:
    whole = taps_study((3, 1), (0,), **TINY)
    assert [found.text for found in whole.nets][:2] == ["rnn, 1 tap", "rnn, 3 taps"]
    wanted = whole.nets[2].parameters
    assert whole.nets[2].hidden_size == 5
    problem = Recall(lag=4, form="symbols")
    for found in whole.nets:
        switches = {} if found.taps is None else {"taps": found.taps}
        sizes = [
            sum(each.numel() for each in found.start.net(problem, width, 0, **switches).parameters())
            for width in (found.hidden_size - 1, found.hidden_size, found.hidden_size + 1)
        ]
        assert sizes[1] == found.parameters
        assert abs(sizes[1] - wanted) == min(abs(size - wanted) for size in sizes)

    settings = settings_of(TINY["budget"], TINY["longest"], TINY["hidden_size"])
    with Rows.open(tmp_path, settings) as rows:
        taps_study((3,), (0,), **TINY, rows=rows)
    with Rows.open(tmp_path, settings) as rows:
        assert taps_study((3, 1), (0,), **TINY, rows=rows) == whole


def test_nothing_to_measure() -> None:
    for taps in ((), (0, 1)):
        with pytest.raises(InputError, match=r"--taps are .*; expected numbers of taps, each at least 1"):
            taps_study(taps, (0,), **TINY)
    with pytest.raises(InputError, match="--hidden-size is 0"):
        taps_study((1,), (0,), hidden_size=0)
