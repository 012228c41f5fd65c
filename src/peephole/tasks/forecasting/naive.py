"""The field's naive methods: what stood there a season before, and the last value."""

from collections.abc import Mapping

import numpy as np

from peephole.data.forecasting.encoding import ForecastingEncoding
from peephole.data.forecasting.windows import Windows, seasonal_naive
from peephole.tasks.forecasting.measuring import Measured, measured, together

TOGETHER = 4096  # windows of a series that are measured at once


def naive_methods(windows: Windows) -> Mapping[str, Measured]:
    """What they reach on the windows of a part, by name."""
    encoding = windows.encoding
    methods = {f"seasonal naive ({encoding.season} steps)": encoding.season} if encoding.season > 1 else {}
    methods |= {"last value": 1}
    found: dict[str, list[Measured]] = {name: [] for name in methods}
    for place, number in enumerate(windows.part.targets.tolist()):
        for numbers in windows.of_series(place, TOGETHER):
            rows = restored(windows.rows(numbers)[..., 0], encoding, number)
            before, after = rows[:, : encoding.lead], rows[:, encoding.lead :]
            for name, season in methods.items():
                forecast = seasonal_naive(before, season, encoding.horizon)
                found[name].append(
                    measured(forecast, after, encoding.deviation[number], encoding.seasonal_error[number])
                )
    return {name: together(each) for name, each in found.items()}


def restored(numbers: np.ndarray, encoding: ForecastingEncoding, number: int) -> np.ndarray:
    """Numbers of the net as values of a series of training."""
    return encoding.restored(numbers, encoding.mean[number], encoding.scale[number])
