"""What the net is told of a date: where in the day, the week, the month and the year it lies."""

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from peephole.data.forecasting.clock import Time
from peephole.data.forecasting.config import Calendar
from peephole.errors import InputError


def date_features(times: Sequence[Time], calendar: Sequence[Calendar], where: str) -> NDArray[np.float32]:
    """Sine and cosine of each part of the dates, `[T, 2 · parts]`. `InputError` for numbers, which are no dates."""
    if not calendar:
        return np.zeros((len(times), 0), np.float32)
    rows: list[list[float]] = []
    for time in times:
        if not isinstance(time, datetime):
            raise InputError(f"{where}: times are numbers; --calendar expected dates; leave --calendar out")
        turns = {
            "hour": (time.hour + time.minute / 60) / 24,
            "weekday": (time.weekday() + time.hour / 24) / 7,
            "monthday": (time.day - 1) / 31,
            "month": (time.month - 1 + (time.day - 1) / 31) / 12,
        }
        angles = [2 * math.pi * turns[part] for part in calendar]
        rows.append([value for angle in angles for value in (math.sin(angle), math.cos(angle))])
    return np.array(rows, np.float32)
