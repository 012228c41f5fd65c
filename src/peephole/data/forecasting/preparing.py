"""From tables to series on disk, split by time, with all that training needs to know of them."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from peephole.data.forecasting.clock import Clock
from peephole.data.forecasting.columns import Columns
from peephole.data.forecasting.config import ForecastingData
from peephole.data.forecasting.encoding import ForecastingEncoding, deviation, seasonal_error
from peephole.data.forecasting.reading import read_series
from peephole.data.forecasting.season import found_season
from peephole.data.forecasting.series import Series
from peephole.data.forecasting.splitting import Borders, borders_of, span_of, usual_context
from peephole.data.sequences.store import Pair, write_part
from peephole.errors import InputError
from peephole.writing import write_whole

NAMED = 5  # series that a note names

logger = logging.getLogger(__name__)


def prepare(data: ForecastingData, folder: Path) -> ForecastingEncoding:
    """Read the tables and write the parts `train` and, where there are some, `held_out` and `test` into `folder`.

    A part is the rows of its targets and those before them that the first forecast reads. Beside them `series.json`
    has the notes: what was filled in, and which series were left out of which part.

    Raises:
        InputError: a table that cannot be read, see `series_of`; no series long enough for a window, an empty part.
    """
    if not data.files:
        raise InputError("no file to learn from; expected tables with a row a step, .csv or .parquet")
    series, columns, clock = read_series(data.files, data)
    borders = [borders_of(len(one.values), data) for one in series]
    season = data.season or found_season([one.values[: at.train] for one, at in zip(series, borders, strict=True)])
    context = data.context or usual_context(season, data.horizon, max(at.train for at in borders))
    longest = max(context + (season if data.level == "season" else 0), season) + data.horizon
    _check_lengths(data, borders, context, longest, bool(columns.covariates))
    kept = [at.train >= longest for at in borders]
    notes = [*_notes(series), *_check_split(data, series, borders), *_left_out("training", series, kept)]
    series = [one for one, long in zip(series, kept, strict=True) if long]
    borders = [at for at, long in zip(borders, kept, strict=True) if long]
    encoding = _learn(series, borders, columns, clock, season, context, data)
    rows = [encoding.normalised(one, number) for number, one in enumerate(series)]
    for part in ("train", "held_out", "test"):
        spans = [span_of(part, at, encoding.lead) for at in borders]
        if any(end > start for start, end in spans):
            enough = [end - start >= longest for start, end in spans]
            _check_part(part, max(end - start for start, end in spans) - encoding.lead, data.horizon)
            write_part(folder / part, _pairs(rows, spans, enough))
            notes += _left_out(f"the {part.replace('_', '-')} part", series, enough)
    write_whole(folder / "series.json", json.dumps({"notes": notes}, indent=1, ensure_ascii=False).encode())
    for note in notes:
        logger.warning("%s", note)
    return encoding


def _check_lengths(
    data: ForecastingData, borders: Sequence[Borders], context: int, longest: int, covariates: bool
) -> None:
    most = max(at.train for at in borders)
    if most < longest:
        raise InputError(
            f"{data.files[0]}: {most:,} rows to train on; expected at least {longest:,}, "
            f"{longest - data.horizon:,} to forecast from and {data.horizon:,} to forecast; pass a smaller --context "
            "or --horizon, or give more rows"
        )
    if (covariates or data.calendar) and context < data.horizon:
        raise InputError(
            f"--context is {context} and --horizon {data.horizon}; expected a context as long as the horizon where "
            "something is known ahead; pass a longer --context"
        )


def _check_part(part: str, rows: int, horizon: int) -> None:
    if rows < horizon:
        name = part.replace("_", "-")
        raise InputError(
            f"the {name} part has {max(0, rows)} rows a series; expected at least {horizon}, the --horizon; give it "
            f"more rows by --split or --{name}-rows, or leave it out"
        )


def _pairs(rows: Sequence[np.ndarray], spans: Sequence[tuple[int, int]], enough: Sequence[bool]) -> Iterator[Pair]:
    """Each series that is long enough for a part: its rows, and its number."""
    for number, (start, end) in enumerate(spans):
        if enough[number]:
            yield rows[number][start:end], np.array([number])


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
    if count:
        notes.append(f"{count:,} missing values filled in {_named([one.name for one in series if one.filled])}")
    empty = max(len(one.covariates) - len(one.values) for one in series)
    if empty:
        notes.append(f"{empty:,} rows at the end have no value, and nothing is learnt from them")
    return notes


def _check_split(data: ForecastingData, series: Sequence[Series], borders: Sequence[Borders]) -> list[str]:
    """A note on the rows after those of --split. `InputError` where it asks for more than there are."""
    rows, asked = max(len(one.values) for one in series), sum(data.split)
    if asked > 1 + 1e-9 and asked > rows:
        raise InputError(
            f"--split asks for {asked:,.0f} rows, and the longest series has {rows:,}; give fewer, or shares such as "
            "0.7 0.1 0.2"
        )
    left = max(len(one.values) - at.test for one, at in zip(series, borders, strict=True))
    return [f"{left:,} rows after those of --split are left out"] if data.split and left else []


def _left_out(part: str, series: Sequence[Series], enough: Sequence[bool]) -> list[str]:
    """A note on the series that are too short, if there are some."""
    short = [f"{one.name} ({len(one.values)} rows)" for one, long in zip(series, enough, strict=True) if not long]
    return [f"{len(short):,} series too short for {part}, left out: {_named(short)}"] if short else []


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
