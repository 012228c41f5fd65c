"""Scores of forecasts: metrics, pictures and tables of a part."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from peephole.data.forecasting.windows import Windows
from peephole.errors import InputError
from peephole.tasks.examples.scores import Scores, ScoreTable
from peephole.tasks.forecasting.forecasting import Forecasts
from peephole.tasks.forecasting.measuring import Measured, measured, metrics, together
from peephole.tasks.forecasting.naive import naive_methods, restored
from peephole.tasks.forecasting.pictures import Coverage, ErrorAhead, Fan
from peephole.tasks.forecasting.settings import ForecastingNet

ROWS = 12  # steps ahead, and series, that tables list


def scored(
    found: Iterable[Forecasts], windows: Windows, config: ForecastingNet, part: str, notes: Sequence[str]
) -> Scores:
    """Measure forecasts of all series of a part. `InputError` where there is none."""
    encoding, shares, middle = windows.encoding, config.shares, config.middle
    each: dict[str, Measured] = {}
    fan: Fan | None = None
    for one in found:
        quantiles, truth = restored(one.quantiles, encoding, one.number), restored(one.truth, encoding, one.number)
        name = encoding.series[one.number]
        each[name] = measured(
            quantiles[..., middle],
            truth,
            encoding.deviation[one.number],
            encoding.seasonal_error[one.number],
            quantiles,
            shares if len(shares) > 1 else (),
        )
        if fan is None:  # the last window of the first series
            last = windows.rows(np.array([len(truth) - 1]))[0, encoding.lead - encoding.context : encoding.lead, 0]
            fan = Fan(name, restored(last, encoding, one.number), truth[-1], quantiles[-1], shares, middle)
    if fan is None:
        raise InputError(f"the {part.replace('_', '-')} part has no window; give it more rows")
    whole = together(list(each.values()))
    errors = {"this net": np.sqrt(whole.squared)}
    errors |= {name: np.sqrt(other.squared) for name, other in naive_methods(windows).items()}
    alone = (encoding.series[0], encoding.deviation[0]) if len(encoding.series) == 1 else None
    pictures: list[tuple[str, Fan | ErrorAhead | Coverage]] = [
        ("Forecast", fan),
        ("Error by steps ahead", ErrorAhead(errors)),
    ]
    if len(shares) > 1:
        pictures.append(("Coverage", Coverage(shares, whole.below)))
    values = whole.windows * encoding.horizon
    return Scores(
        part=part.replace("_", " "),
        counted=f"{whole.windows:,} windows of {len(each):,} series, {values:,} values",
        metrics=metrics(whole, shares, alone),
        lower=True,
        pictures=tuple(pictures),
        tables=(_by_series(each, shares), _by_step(whole, shares)),
        notes=(*notes, "MSE and MAE are of values in standard deviations of the training part"),
    )


def _by_series(each: dict[str, Measured], shares: tuple[float, ...]) -> ScoreTable:
    """The metrics of the series that are forecast worst."""
    worst = sorted(each, key=lambda name: -float(each[name].squared.mean()))[:ROWS]
    return _table(f"the {len(worst)} series with the largest errors", "series", {n: each[n] for n in worst}, shares)


def _by_step(whole: Measured, shares: tuple[float, ...]) -> ScoreTable:
    """The metrics at some steps ahead."""
    horizon = len(whole.squared)
    steps = np.unique(np.linspace(0, horizon - 1, min(ROWS, horizon)).astype(int)).tolist()
    names = ("squared", "absolute", "percent", "scaled", "pinball", "below")
    rows = {
        str(step + 1): replace(whole, **{name: getattr(whole, name)[step : step + 1] for name in names})
        for step in steps
    }
    return _table("by steps ahead", "steps ahead", rows, shares)


def _table(caption: str, first: str, rows: dict[str, Measured], shares: tuple[float, ...]) -> ScoreTable:
    named = {name: metrics(one, shares) for name, one in rows.items()}
    header = tuple(next(iter(named.values())))
    body = tuple((name, *(_cell(key, found[key]) for key in header)) for name, found in named.items())
    return ScoreTable(caption, (first, *(key.removesuffix(" %") for key in header)), body)


def _cell(key: str, value: float) -> str:
    return f"{value:.1%}" if key.endswith("%") else f"{value:.4g}"
