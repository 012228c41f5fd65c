"""A forecast of one series, as a table or as JSON."""

import csv
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Forecast:
    """The next steps of a series.

    Attributes:
        series: its name.
        times: of the steps ahead, `[H]`, as text.
        shares: the quantiles, of which `middle` is the forecast itself.
        quantiles: `[H, Q]`.
        header: whether the table begins with the names of its columns.
    """

    series: str
    times: tuple[str, ...]
    shares: tuple[float, ...]
    middle: int
    quantiles: NDArray[np.float64]
    header: bool = True

    @property
    def text(self) -> str:
        """A table with commas: series, time, forecast, and the quantiles."""
        written = io.StringIO()
        table = csv.writer(written, lineterminator="\n")
        others = [place for place in range(len(self.shares)) if place != self.middle]
        if self.header:
            table.writerow(["series", "time", "forecast", *(f"q{self.shares[place]:g}" for place in others)])
        for time, row in zip(self.times, self.quantiles, strict=True):
            table.writerow([self.series, time, *(f"{row[place]:.6g}" for place in (self.middle, *others))])
        return written.getvalue().removesuffix("\n")

    def as_dict(self) -> dict[str, Any]:
        shown = [[float(f"{value:.6g}") for value in column] for column in self.quantiles.T]
        return {
            "series": self.series,
            "times": list(self.times),
            "forecast": shown[self.middle],
            "quantiles": {f"{share:g}": column for share, column in zip(self.shares, shown, strict=True)},
        }
