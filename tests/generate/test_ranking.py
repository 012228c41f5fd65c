"""The likeliest ways to go on, against sorting everything."""

import numpy as np
import pytest

from peephole.generate.ranking import begins, likeliest_of_rows, likeliest_of_sources, places_in_groups


@pytest.mark.parametrize("symbols", [1, 2, 7, 128, 255, 256, 300, 1000])
@pytest.mark.parametrize("count", [1, 4, 20])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("ties", [False, True])
def test_the_likeliest_are_those_that_sorting_finds(symbols: int, count: int, kind: type, ties: bool) -> None:
    generator = np.random.default_rng(symbols * count)
    sources = np.array([0, 0, 0, 2, 5, 5])
    before = -generator.random(6) * 40
    logs = -generator.random((6, symbols)).astype(kind) * 9
    if ties:
        before, logs = np.round(before / 8) * 8, np.round(logs)
    logs[generator.random(logs.shape) < 0.2] = -np.inf
    logs[3] = -np.inf
    rows, said, totals = likeliest_of_sources(logs, before, sources, count)
    for source in (0, 2, 5):
        everything = [
            (before[row] + np.float64(logs[row, symbol]), row, symbol)
            for row in np.flatnonzero(sources == source)
            for symbol in range(symbols)
            if logs[row, symbol] > -np.inf
        ]
        want = sorted(everything, key=lambda one: -one[0])[:count]
        among = sources[rows] == source
        got = list(zip(totals[among].tolist(), rows[among].tolist(), said[among].tolist(), strict=True))
        assert got == want
    assert (np.diff(sources[rows]) >= 0).all()


def test_the_likeliest_of_rows_leaves_out_what_is_impossible() -> None:
    logs = np.array([[-1.0, -2.0, -1.0], [-np.inf] * 3, [-3.0, -np.inf, -2.5]])
    rows, symbols, totals = likeliest_of_rows(logs, np.array([-1.0, 0.0, -2.0]))
    assert rows.tolist() == [0, 2]
    assert symbols.tolist() == [0, 2]
    assert totals.tolist() == [-2.0, -4.5]


def test_places_in_groups() -> None:
    groups = np.array([3, 3, 4, 9, 9, 9])
    assert places_in_groups(groups).tolist() == [0, 1, 0, 0, 1, 2]
    assert begins(groups).tolist() == [True, False, True, True, False, False]
    assert places_in_groups(groups[:0]).tolist() == []
