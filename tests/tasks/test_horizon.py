"""The horizon study: its nets, what it says of studies whose answer is known, and a tiny one measured."""

import math
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from peephole.data.problems.recall import Recall
from peephole.errors import InputError
from peephole.figures import png
from peephole.runs.rows import Rows
from peephole.tasks.horizon import HorizonStudy, Net, horizon_study, settings_of
from peephole.tasks.lags import SolvedLag, lag_grid
from peephole.tasks.starts import STARTS, Start, starts_of
from peephole.train.budget import Budget

LAGS = lag_grid(100)
TINY = {"budget": Budget(steps=16, batch_size=8, learning_rate=0.05), "longest": 3, "hidden_size": 8}
FEW = (Start("rnn", "identity", "relu"), Start("lstm", "orthogonal", forget_bias=-3.0))


def study(*pairs: tuple[int | None, int], seeds: int = 1) -> HorizonStudy:
    """A study that found these horizons and lags, a start each `seeds`."""
    nets = [
        Net(STARTS[place // seeds], place % seeds, horizon, horizon, horizon, SolvedLag(lag, ((2, 5),)))
        for place, (horizon, lag) in enumerate(pairs)
    ]
    return HorizonStudy(tuple(nets), LAGS, Budget())


def test_every_cell_with_every_initialisation() -> None:
    assert len(STARTS) == len({start.text for start in STARTS}) == 26
    problem = Recall(lag=3, form="symbols")
    assert {type(start.net(problem, 4, seed=0)).__name__ for start in STARTS} == {"SequenceModel"}  # none is refused
    told = {(start.cell, start.init) for start in STARTS}
    assert told == {
        *(("rnn", init) for init in ("torch", "orthogonal", "identity")),
        *((cell, init) for cell in ("gru", "lstm") for init in ("torch", "orthogonal", "chrono")),
    }
    assert starts_of(("gru",)) == tuple(start for start in STARTS if start.cell == "gru")
    for cells in ((), ("gru", "mlp")):
        with pytest.raises(InputError, match="expected some of rnn, gru, lstm"):
            starts_of(cells)


def test_a_seed_is_a_net_whatever_was_drawn_before() -> None:
    problem = Recall(lag=3, form="symbols")
    torch.manual_seed(7)
    one = Start("gru", "torch").net(problem, 4, seed=3)
    before = torch.random.get_rng_state()
    other = Start("gru", "torch").net(problem, 4, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_beyond_the_longest_lag_is_longest_of_all() -> None:
    found = study((5, 4), (None, 100), (100, 80), (20, 15), (None, 100))
    assert [found.reach(net) for net in found.nets] == [5, 101, 100, 20, 101]
    assert found.correlation.value == pytest.approx(1)
    assert study((5, 100), (None, 4), (30, 50)).correlation.value == pytest.approx(-1)


def test_seeds_of_a_start_are_one_witness() -> None:
    pairs = [(5, 4), (9, 11), (7, 8), (20, 6), (30, 29), (40, 80)]
    found, grouped = study(*pairs), study(*(pair for pair in pairs for _ in range(3)), seeds=3)
    assert (grouped.correlation.count, grouped.correlation.groups) == (18, 6)
    assert grouped.correlation.value == pytest.approx(found.correlation.value)
    assert (grouped.correlation.low, grouped.correlation.high) == (found.correlation.low, found.correlation.high)
    assert {family: each.count for family, each in grouped.within.items()} == {"tanh rnn": 9, "relu rnn": 9}


def test_the_verdict_says_the_numbers() -> None:
    found = study((10, 5), (20, 10), (40, 20), (None, 100), (8, 0))
    assert found.ratios == (0.5, 0.5, 0.5)  # of the three that are within the lags
    assert "Over 5 nets, from 5 starts," in found.verdict
    assert f"rank correlation {found.correlation.value:.2f} (95 % interval" in found.verdict
    assert "the lag is 0.5 times the horizon in the middle" in found.verdict


def test_the_figure_shows_every_net() -> None:
    found = study((10, 6), (20, 11), (40, 21), (None, 100), (8, 0))
    ax = Figure().subplots()
    found.plot(ax)
    shown = [line.get_xydata() for line in ax.get_lines() if line.get_marker() not in (None, "None", "")]
    points = sorted(tuple(point) for line in shown for point in line.tolist())
    assert len(points) == 5
    (low, high), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert all(low < x < high and bottom < y < top for x, y in points)
    assert points[0] == (8, pytest.approx(2 / 1.4))  # below the shortest lag
    assert points[-1][0] > 100  # beyond the longest
    assert found.correlation.text in ax.get_title()
    assert png(ax.figure)


def test_what_is_measured_is_the_net_that_is_trained(tmp_path: Path) -> None:
    whole = horizon_study(FEW, (0, 1), **TINY)
    assert [(net.start, net.seed) for net in whole.nets] == [(start, seed) for seed in (0, 1) for start in FEW]
    assert whole.lags == (2, 3)
    assert whole.nets[0].horizon is None  # what the identity keeps does not fade within three steps
    assert whole.nets[1].horizon is not None  # what is multiplied by σ(−3) at every step does
    assert any(net.solved.lag for net in whole.nets)

    settings = settings_of(TINY["budget"], TINY["longest"], TINY["hidden_size"])
    told: list[Net] = []

    def stop(net: Net) -> None:
        told.append(net)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Rows.open(tmp_path, settings) as rows:
        horizon_study(FEW, (0, 1), **TINY, rows=rows, tell=stop)
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write('{"key": "lstm orthogonal, forget bias -3, seed 1", "row": {"hor')  # killed while it wrote
    with Rows.open(tmp_path, settings) as rows:
        assert [rows.done(f"{start.text}, seed 1") is not None for start in FEW] == [True, False]
        assert horizon_study(FEW, (0, 1), **TINY, rows=rows, tell=told.append) == whole
    assert tuple(told[3:]) == whole.nets


def test_nothing_to_measure() -> None:
    with pytest.raises(InputError, match="got 0 starts and 1 seeds"):
        horizon_study((), (0,), **TINY)
    with pytest.raises(InputError, match="--hidden-size is 0"):
        horizon_study(FEW, (0,), hidden_size=0)
    with pytest.raises(InputError, match="--longest is 1"):
        horizon_study(FEW, (0,), longest=1)


def test_numbers_that_no_net_gives() -> None:
    assert all(math.isnan(ratio) for ratio in study((None, 100), (8, 0), (9, 0)).ratios)
