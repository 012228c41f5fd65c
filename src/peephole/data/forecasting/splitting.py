"""Which rows of a series are for what, and how many of them a forecast is made from."""

from dataclasses import dataclass

import numpy as np

from peephole.data.forecasting.config import ForecastingData

SEASONS = 4  # that a forecast is made from, where nothing is said
LEAST = 24  # steps that it is made from, without a season


@dataclass(frozen=True)
class Borders:
    """Where the parts of a series of `rows` rows begin and end."""

    train: int
    held_out: int
    test: int


def borders_of(rows: int, data: ForecastingData) -> Borders:
    """Where the parts of a series lie, as the settings say."""
    if data.split:
        sizes = [*data.split, 0.0, 0.0][:3]
        if sum(data.split) <= 1 + 1e-9:
            ends = np.round(np.cumsum(sizes) * rows).astype(int)
        else:
            ends = np.minimum(np.cumsum(sizes), rows).astype(int)
        return Borders(*(int(end) for end in ends))
    rest = max(0, rows - data.test_rows)
    held_out = max(data.horizon, rest // 10) if data.held_out_rows < 0 else data.held_out_rows
    return Borders(max(0, rest - held_out), rest, rows)


def span_of(part: str, at: Borders, lead: int) -> tuple[int, int]:
    """First row and end of a part, the rows that its first forecast reads included."""
    if part == "train":
        return 0, at.train
    start, end = (at.train, at.held_out) if part == "held_out" else (at.held_out, at.test)
    return (max(0, start - lead), end) if end > start else (start, start)


def usual_context(season: int, horizon: int, rows: int) -> int:
    """Steps to forecast from: whole seasons, as few as do not leave a part too short for windows."""
    if season == 1:
        return max(1, min(max(2 * horizon, LEAST), (rows - horizon) // 2))
    seasons = max(SEASONS, -(-horizon // season))
    return season * max(1, min(seasons, (rows - horizon) // (2 * season)))
