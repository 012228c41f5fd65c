"""`Clock`: what a step of a series is in time, and times as text."""

import calendar
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "seconds", "months", "workdays"]
Time = float | datetime
MONTH, DAY = 28 * 86_400, 86_400  # seconds, the month at its shortest


@dataclass(frozen=True)
class Clock:
    """The distance of two steps: `size` numbers, seconds, months or days of work (Monday to Friday).

    Months differ in length and the week of a market has five days: of them a fixed number of seconds would find missing
    steps that are none.
    """

    kind: Kind
    size: float

    @classmethod
    def of(cls, times: Sequence[Time]) -> "Clock":
        """The clock of times in order: the most frequent distance. Of one time alone, or of none, 1."""
        seconds = _seconds(times)
        if len(times) < 2:
            return cls("seconds" if times and isinstance(times[0], datetime) else "number", 1.0)
        apart = np.diff(seconds)
        size = Counter(apart[apart > 0].round(6).tolist()).most_common(1)
        usual = size[0][0] if size else 1.0
        first = times[0]
        if not isinstance(first, datetime):
            return cls("number", usual)
        if usual >= MONTH:
            return cls("months", float(max(1, round(usual / (365.2425 * DAY / 12)))))
        days = [time for time in times if isinstance(time, datetime)]
        if usual == DAY and (apart > 2 * DAY).any() and all(time.weekday() < 5 for time in days):
            return cls("workdays", 1.0)
        return cls("seconds", usual)

    def positions(self, times: Sequence[Time]) -> NDArray[np.float64]:
        """Times in steps, `[T]`: whole numbers apart where nothing is amiss."""
        if self.kind == "months":
            return np.array([time.year * 12 + time.month for time in times if isinstance(time, datetime)]) / self.size
        if self.kind == "workdays":
            dates = np.array([time.date() for time in times if isinstance(time, datetime)], "datetime64[D]")
            return np.busday_count(np.datetime64("1970-01-01", "D"), dates).astype(np.float64)
        return _seconds(times) / self.size

    def later(self, time: Time, steps: int) -> Time:
        """The time so many steps after."""
        if not isinstance(time, datetime):
            return time + steps * self.size
        if self.kind == "months":
            months = time.year * 12 + time.month - 1 + steps * round(self.size)
            year, month = divmod(months, 12)
            length = calendar.monthrange(year, month + 1)[1]
            ends = time.day == calendar.monthrange(time.year, time.month)[1] and time.day > 27  # the last of a month
            return time.replace(year=year, month=month + 1, day=length if ends else min(time.day, length))
        if self.kind == "workdays":
            day: Any = np.busday_offset(np.datetime64(time.date(), "D"), steps, roll="forward")
            return datetime.combine(date.fromisoformat(str(day)), time.time(), time.tzinfo)
        return time + timedelta(seconds=steps * self.size)

    def text(self, time: Time) -> str:
        """A time as a table has it: months without their day where that says nothing."""
        if not isinstance(time, datetime):
            return f"{time:.10g}"
        if self.kind == "months" and time.day == 1 and not (time.hour or time.minute):
            return f"{time:%Y-%m}"
        return f"{time:%Y-%m-%d}" if self.size >= DAY or self.kind != "seconds" else time.isoformat(" ")

    @property
    def step(self) -> str:
        """A step in words."""
        if self.kind == "seconds":
            for unit, length in (("day", DAY), ("hour", 3600), ("minute", 60)):
                if self.size >= length and self.size % length == 0:
                    return _counted(self.size / length, unit)
            return _counted(self.size, "second")
        return _counted(self.size, {"number": "row", "months": "month", "workdays": "working day"}[self.kind])


def read_time(text: str, pattern: str | None = None) -> Time | None:
    """A number, or a date by `pattern` or in ISO 8601 (also 2024-05, 2024/05/01); None for anything else."""
    text = text.strip()
    try:
        if pattern is not None:
            return datetime.strptime(text, pattern)
        if re.fullmatch(r"\d{4}[-/]\d{1,2}", text):
            return datetime.strptime(text.replace("/", "-"), "%Y-%m")
        if re.fullmatch(r"(19|20)\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])", text):
            return datetime.strptime(text, "%Y%m%d")
        if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
            return float(text)
        return datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return None


def _seconds(times: Sequence[Time]) -> NDArray[np.float64]:
    """Numbers as they are, dates in seconds; a date without a zone counts as one of Greenwich."""
    return np.array(
        [
            (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() if isinstance(time, datetime) else time
            for time in times
        ],
        np.float64,
    )


def _counted(count: float, unit: str) -> str:
    return f"1 {unit}" if count == 1 else f"{count:.10g} {unit}s"
