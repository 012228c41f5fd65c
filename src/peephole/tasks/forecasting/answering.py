"""Series from files or a pipe to forecasts."""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from peephole.data.forecasting.clock import Clock
from peephole.data.forecasting.columns import columns_of
from peephole.data.forecasting.config import ForecastingData
from peephole.data.forecasting.encoding import ForecastingEncoding
from peephole.data.forecasting.reading import read_series
from peephole.data.forecasting.series import Series, series_of
from peephole.data.forecasting.tables import table_of
from peephole.data.forecasting.windows import window_batch
from peephole.errors import InputError
from peephole.tasks.forecasting.answer import Forecast
from peephole.tasks.forecasting.forecasting import quantiles_of
from peephole.tasks.forecasting.tracking import Offsets, Tracking


@dataclass(frozen=True, eq=False)
class _Ready:
    """The end of a series as the net reads it."""

    series: Series
    number: int | None
    rows: np.ndarray  # lead and horizon, [1, steps, 1 + K]
    mean: float
    scale: float


class Answering:
    """A net with what it needs to forecast series that it is given."""

    def __init__(
        self,
        model: nn.Module,
        encoding: ForecastingEncoding,
        data: ForecastingData,
        tracking: Tracking,
        offsets: Sequence[Offsets],
    ) -> None:
        self.model, self.encoding, self.tracking, self.offsets = model.eval(), encoding, tracking, offsets
        self.data = replace(data, columns=encoding.columns, files=())

    def of_files(self, files: Sequence[Path]) -> Iterator[Forecast]:
        """The steps after the last value of each series; rows without a value at the end say what is known ahead.

        Raises:
            InputError: a table that cannot be read, a series shorter than a window, nothing known ahead.
        """
        series, _, clock = read_series(files, self.data, self._clock)
        if clock.kind != self.encoding.clock.kind:
            raise InputError(f"{files[0]}: steps of {clock.step}; expected {self.encoding.clock.step}, as in training")
        for place, one in enumerate(series):
            ready = self._ready(one)
            yield self._forecast(
                ready, self.tracking.moved(self._quantiles(ready), self._offsets(ready.number)), place == 0
            )

    def of_lines(self, lines: Iterator[str], name: str) -> Iterator[Forecast]:
        """A forecast after every row, from the first that ends a window on; the first line names the columns.

        Quantiles follow their coverage as values come.

        Raises:
            InputError: a row that cannot be read, fewer rows than a window has, covariates, which a stream lacks.
        """
        if self.encoding.covariates:
            raise InputError(
                f"{name}: the net reads {', '.join(self.encoding.covariates)} of the steps that it forecasts, which a "
                "stream does not know; expected a file; give one with rows for those steps"
            )
        rows = csv.reader(lines)
        names = next(rows, None)
        if names is None:
            raise InputError(f"{name}: empty; expected a line with the names of the columns, then a row a step")
        recent: dict[str, deque[list[str]]] = {}
        followed: dict[str, _Followed] = {}
        header, count = True, 0
        for count, row in enumerate((row for row in rows if row), 1):
            if len(row) != len(names):
                raise InputError(f"{name}, line {count + 1}: {len(row)} cells; expected {len(names)}; mend it")
            key = row[names.index(self.data.series_column)] if self.data.series_column in names else ""
            kept = recent.setdefault(key, deque(maxlen=self.encoding.lead))
            kept.append(row)
            table = table_of(list(kept), names, name, count - len(kept), self.data.decimal)
            for one in series_of(table, columns_of(table, self.data), self.data, self._clock):
                if len(one.values) < self.encoding.lead:
                    continue
                ready = self._ready(one)
                follower = followed.setdefault(one.name, _Followed(self.tracking, self._offsets(ready.number)))
                follower.hear(float(ready.rows[0, self.encoding.lead - 1, 0]))
                yield self._forecast(ready, follower.moved(self._quantiles(ready)), header)
                header = False
        if header:
            raise InputError(f"{name}: {count} rows; expected at least {self.encoding.lead}, what a forecast reads")

    @property
    def _clock(self) -> Clock | None:
        """The steps that dates have to have; without dates rows may be numbered as they like."""
        return self.encoding.clock if self.encoding.clock.kind != "number" else None

    def _ready(self, series: Series) -> _Ready:
        encoding = self.encoding
        horizon, lead = encoding.horizon, encoding.lead
        known = len(series.covariates) - len(series.values)
        if encoding.covariates and known < horizon:
            raise InputError(
                f"{series.place}: {series.name} has {known} rows without a value at its end; expected {horizon}, with "
                f"{', '.join(encoding.covariates)} of the steps to forecast; add them"
            )
        if len(series.values) < lead:
            raise InputError(
                f"{series.place}: {series.name} has {len(series.values)} rows; expected at least {lead}, what a "
                "forecast reads; give more"
            )
        end = len(series.values)
        covariates = series.covariates[: end + horizon] if known >= horizon else np.zeros((end + horizon, 0))
        number = encoding.number(series.name)
        mean, scale = encoding.measures(encoding.transformed(series), number)
        whole = encoding.normalised(replace(series, covariates=covariates), number)
        return _Ready(series, number, whole[None, end - lead :], mean, scale)

    def _quantiles(self, ready: _Ready) -> np.ndarray:
        """Quantiles `[H, Q]` in the numbers of the net."""
        return quantiles_of(self.model, window_batch(ready.rows, self.encoding), len(self.tracking.shares))[0]

    def _offsets(self, number: int | None) -> Offsets:
        """Of a series that training did not have the mean over those that it had."""
        if number is not None:
            return self.offsets[number]
        own, shared = (np.mean([getattr(one, name) for one in self.offsets], 0) for name in ("own", "shared"))
        return Offsets(own, shared, min(one.heard for one in self.offsets))

    def _forecast(self, ready: _Ready, quantiles: np.ndarray, header: bool) -> Forecast:
        clock, last = self.encoding.clock, ready.series.times[-1]
        times = tuple(clock.text(clock.later(last, step + 1)) for step in range(self.encoding.horizon))
        values = self.encoding.restored(np.sort(quantiles, axis=-1), ready.mean, ready.scale)
        return Forecast(ready.series.name, times, self.tracking.shares, self.tracking.middle, values, header)


class _Followed:
    """The forecasts of a series that are still waiting for what comes."""

    def __init__(self, tracking: Tracking, offsets: Offsets) -> None:
        self.tracking, self.offsets = tracking, offsets
        self.waiting: deque[np.ndarray] = deque(maxlen=len(offsets.own))

    def hear(self, value: float) -> None:
        """A value that forecasts made before were about, the newest of them one step ahead."""
        ahead = np.arange(len(self.waiting))
        made = [self.waiting[-1 - step][step] for step in ahead]
        if made:
            came = np.full(len(made), value, np.float32)
            self.offsets = self.tracking.after(self.offsets, np.stack(made), ahead, came)

    def moved(self, quantiles: np.ndarray) -> np.ndarray:
        """A new forecast, moved by what has been heard so far."""
        self.waiting.append(self.tracking.moved(quantiles, self.offsets))
        return self.waiting[-1]
