"""What training found in its series, and how values become numbers for a net by it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.forecasting.clock import Clock
from peephole.data.forecasting.config import Calendar, Level, Transform
from peephole.data.forecasting.dates import date_features
from peephole.data.forecasting.series import Series
from peephole.errors import InputError


@dataclass(frozen=True)
class ForecastingEncoding:
    """All that turns series into numbers and forecasts back into values; of the training part alone.

    Attributes:
        series: names of the series that were learnt from.
        mean, scale: of each, of what `transform` makes of its values.
        deviation: of the values themselves: errors are given in it.
        seasonal_error: mean absolute error of seasonal naive within the training part, of each (MASE's unit).
        columns: columns that are forecast.
        covariates, covariate_mean, covariate_scale: columns known ahead.
        calendar: what is told of dates.
        clock: how far two steps are apart.
        context, horizon, season: in steps.
    """

    series: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    deviation: tuple[float, ...]
    seasonal_error: tuple[float, ...]
    columns: tuple[str, ...]
    covariates: tuple[str, ...]
    covariate_mean: tuple[float, ...]
    covariate_scale: tuple[float, ...]
    calendar: tuple[Calendar, ...]
    clock: Clock
    context: int
    horizon: int
    season: int
    transform: Transform
    level: Level

    def as_dict(self) -> dict[str, Any]:
        """The encoding in JSON's types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "ForecastingEncoding":
        """What `as_dict` gave."""
        lists = {name: tuple(value) for name, value in saved.items() if isinstance(value, list | tuple)}
        return cls(**{**saved, **lists, "clock": Clock(**saved["clock"])})

    @property
    def lead(self) -> int:
        """Steps before the first that is forecast which a forecast and the naive methods read."""
        return max(self.context + (self.season if self.level == "season" else 0), self.season)

    @property
    def known(self) -> int:
        """Numbers a step that are known ahead."""
        return len(self.covariates) + 2 * len(self.calendar)

    @property
    def features(self) -> int:
        """Numbers a step that the net reads: the value, what is known of the step and of that a horizon later."""
        return 1 + 2 * self.known

    def normalised(self, series: Series, number: int | None = None) -> NDArray[np.float32]:
        """Of each step the value and what is known ahead, `[T + known steps, 1 + K]`; values after the last are 0.

        `number` is the series among those of training; None stands for one that was not among them, which is measured
        by its own mean and deviation.

        Raises:
            InputError: values that have no logarithm.
        """
        steps, known = len(series.values), len(series.covariates) - len(series.values)
        values = self.transformed(series)
        mean, scale = self.measures(values, number)
        rows = np.zeros((steps + known, 1 + self.known), np.float32)
        rows[:steps, 0] = (values - mean) / scale
        covariates = len(self.covariates)
        if covariates:
            centred = series.covariates - np.asarray(self.covariate_mean)
            rows[:, 1 : 1 + covariates] = centred / np.asarray(self.covariate_scale)
        if self.calendar:
            last = series.times[-1]
            later = [self.clock.later(last, step + 1) for step in range(known)]
            rows[:, 1 + covariates :] = date_features([*series.times, *later], self.calendar, series.place)
        return rows

    def transformed(self, series: Series) -> NDArray[np.float64]:
        """The values, or their logarithm."""
        if self.transform == "none":
            return series.values
        if not (series.values > 0).all():
            row = int(np.flatnonzero(~(series.values > 0))[0])
            raise InputError(
                f"{series.place}: {series.name} is {series.values[row]:g} at {self.clock.text(series.times[row])}, and "
                "that has no logarithm; expected positive numbers; pass --transform none"
            )
        return np.log(series.values)

    def measures(self, transformed: NDArray[np.float64], number: int | None) -> tuple[float, float]:
        """What is taken off a series, and what it is divided by."""
        if number is not None:
            return self.mean[number], self.scale[number]
        return float(transformed.mean()), deviation(transformed)

    def restored(self, numbers: NDArray[np.floating], mean: float, scale: float) -> NDArray[np.float64]:
        """Numbers of the net as values of the series."""
        values = numbers.astype(np.float64) * scale + mean
        return np.exp(values) if self.transform == "log" else values

    def number(self, name: str) -> int | None:
        """The place of a series among those of training; None of another. One alone goes by any name."""
        if name in self.series:
            return self.series.index(name)
        return 0 if len(self.series) == 1 else None


def deviation(values: NDArray[np.floating]) -> float:
    """The standard deviation; 1 of a constant."""
    found = float(np.std(values))
    return found if found > 1e-12 * abs(float(np.mean(values))) and found > 0 else 1.0


def seasonal_error(values: Sequence[float] | NDArray[np.floating], season: int) -> float:
    """Mean |v(t) − v(t − season)|, with a step in place of a season that the values do not have; 1 of a constant."""
    numbers = np.asarray(values, np.float64)
    lag = season if len(numbers) > season else 1
    found = float(np.abs(numbers[lag:] - numbers[:-lag]).mean()) if len(numbers) > lag else 0.0
    return found or 1.0
