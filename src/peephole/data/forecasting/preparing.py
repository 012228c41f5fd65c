"""From tables to series on disk, split by time, with all that training needs to know of them."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peephole.data.forecasting.clock import Clock
from peephole.data.forecasting.columns import Columns, columns_of
from peephole.data.forecasting.config import ForecastingData
from peephole.data.forecasting.encoding import ForecastingEncoding, deviation, seasonal_error
from peephole.data.forecasting.season import found_season
from peephole.data.forecasting.series import Series, names_of, series_of
from peephole.data.forecasting.tables import read_table
from peephole.data.sequences.store import Pair, write_part
from peephole.errors import InputError
from peephole.writing import write_whole

SEASONS = 4  # that a forecast is made from, where nothing is said
LEAST = 24  # steps that it is made from, without a season
NAMED = 5  # series left out that the log names

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Borders:
    """Where the parts of a series of `rows` rows begin and end."""

    train: int
    held_out: int
    test: int


def prepare(data: ForecastingData, folder: Path) -> ForecastingEncoding:
    """Read the tables and write the parts `train` and, where there are some, `held_out` and `test` into `folder`.

    A part is the rows of its targets and those before them that the first forecast reads. Beside them `series.json`
    says of each part which series it has, what was filled in and which series were left out.

    Raises:
        InputError: a table that cannot be read, see `series_of`; no series long enough for a window, an empty part.
    """
    if not data.files:
        raise InputError("no file to learn from; expected tables with a row a step, .csv or .parquet")
    series, columns, clock = read_series(data.files, data)
    borders = [_borders(len(one.values), data) for one in series]
    season = data.season or found_season([one.values[: at.train] for one, at in zip(series, borders, strict=True)])
    context = data.context or _context(season, data.horizon, max(at.train for at in borders))
    longest = max(context + (season if data.level == "season" else 0), season) + data.horizon
    kept = [place for place, at in enumerate(borders) if at.train >= longest]
    left_out = [f"{series[place].name} ({borders[place].train} rows)" for place in range(len(series))]
    left_out = [left_out[place] for place in range(len(series)) if place not in set(kept)]
    if not kept:
        raise InputError(
            f"{data.files[0]}: {max(at.train for at in borders):,} rows to train on; expected at least {longest:,}, "
            f"{longest - data.horizon:,} to forecast from and {data.horizon:,} to forecast; pass a smaller --context "
            "or --horizon, or give more rows"
        )
    if (columns.covariates or data.calendar) and context < data.horizon:
        raise InputError(
            f"--context is {context} and --horizon {data.horizon}; expected a context as long as the horizon where "
            "something is known ahead; pass a longer --context"
        )
    series, borders = [series[place] for place in kept], [borders[place] for place in kept]
    encoding = _learn(series, borders, columns, clock, season, context, data)
    described: dict[str, object] = {"left out": left_out, "notes": _notes(series)}
    rows = [encoding.normalised(one, number) for number, one in enumerate(series)]
    for part in ("train", "held_out", "test"):
        spans = [_span(part, at, encoding.lead) for at in borders]
        if not any(end - start for start, end in spans):
            continue
        long_enough = [number for number, (start, end) in enumerate(spans) if end - start >= longest]
        if not long_enough:
            name = part.replace("_", "-")
            most = max(end - start for start, end in spans) - encoding.lead
            raise InputError(
                f"the {name} part has {most} rows a series; expected at least {data.horizon}, the --horizon; give it "
                f"more rows by --split or --{name}-rows, or leave it out"
            )
        write_part(folder / part, _pairs(rows, spans, long_enough))
        described[part] = {
            "series": len(long_enough),
            "from": [spans[number][0] for number in long_enough],
            "left out": [series[number].name for number in range(len(series)) if number not in set(long_enough)],
        }
    write_whole(folder / "series.json", json.dumps(described, indent=1, ensure_ascii=False).encode())
    if left_out:
        more = f" and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
        names = ", ".join(left_out[:NAMED]) + more
        logger.warning("%d series left out, shorter than %d rows: %s", len(left_out), longest, names)
    return encoding


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
        table = read_table(path)
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


def _borders(rows: int, data: ForecastingData) -> Borders:
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


def _span(part: str, at: Borders, lead: int) -> tuple[int, int]:
    """First row and end of a part, the rows that its first forecast reads included."""
    if part == "train":
        return 0, at.train
    start, end = (at.train, at.held_out) if part == "held_out" else (at.held_out, at.test)
    return (max(0, start - lead), end) if end > start else (start, start)


def _pairs(rows: Sequence[np.ndarray], spans: Sequence[tuple[int, int]], numbers: Sequence[int]) -> Iterator[Pair]:
    """Each series of a part: its rows, and its number."""
    for number in numbers:
        start, end = spans[number]
        yield rows[number][start:end], np.array([number])


def _context(season: int, horizon: int, rows: int) -> int:
    """Steps to forecast from: whole seasons, as few as do not leave a part too short for windows."""
    if season == 1:
        return max(1, min(max(2 * horizon, LEAST), (rows - horizon) // 2))
    seasons = max(SEASONS, -(-horizon // season))
    return season * max(1, min(seasons, (rows - horizon) // (2 * season)))


def _learn(
    series: Sequence[Series],
    borders: Sequence[Borders],
    columns: Columns,
    clock: Clock,
    season: int,
    context: int,
    data: ForecastingData,
) -> ForecastingEncoding:
    """Means and scales of the training part."""
    encoding = ForecastingEncoding(
        series=tuple(one.name for one in series),
        mean=(),
        scale=(),
        deviation=tuple(deviation(one.values[: at.train]) for one, at in zip(series, borders, strict=True)),
        seasonal_error=tuple(
            seasonal_error(one.values[: at.train], season) for one, at in zip(series, borders, strict=True)
        ),
        columns=columns.targets,
        covariates=columns.covariates,
        covariate_mean=(),
        covariate_scale=(),
        calendar=data.calendar,
        clock=clock,
        context=context,
        horizon=data.horizon,
        season=season,
        transform=data.transform,
        level=data.level,
    )
    learned = [encoding.transformed(one)[: at.train] for one, at in zip(series, borders, strict=True)]
    known = np.concatenate([one.covariates[: at.train] for one, at in zip(series, borders, strict=True)])
    return ForecastingEncoding(
        **{
            **vars(encoding),
            "mean": tuple(float(values.mean()) for values in learned),
            "scale": tuple(deviation(values) for values in learned),
            "covariate_mean": tuple(known.mean(0).tolist()),
            "covariate_scale": tuple(deviation(known[:, place]) for place in range(known.shape[1])),
        }
    )


def _notes(series: Sequence[Series]) -> list[str]:
    """What was done to the rows, each said once, and how many numbers were filled in."""
    notes = list(dict.fromkeys(note for one in series for note in one.notes))
    count = sum(one.filled for one in series)
    names = [one.name for one in series if one.filled]
    if count:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        notes.append(f"{count:,} missing values filled in {', '.join(names[:NAMED])}{more}")
    for note in notes:
        logger.warning("%s", note)
    return notes
