"""What a step is in time, whatever the calendar does to it."""

from datetime import datetime

import pytest

from peephole.data.forecasting.clock import Clock, Time, read_time


def times(*texts: str) -> list[Time]:
    found = [read_time(text) for text in texts]
    assert None not in found
    return [time for time in found if time is not None]


@pytest.mark.parametrize(
    ("texts", "clock", "step"),
    [
        (("1949-01", "1949-02", "1949-03"), Clock("months", 1.0), "1 month"),
        (("2023-01-31", "2023-02-28", "2023-03-31"), Clock("months", 1.0), "1 month"),
        (("2020-01-01", "2020-04-01", "2020-07-01"), Clock("months", 3.0), "3 months"),
        (("2019-01-01", "2020-01-01", "2021-01-01"), Clock("months", 12.0), "12 months"),
        (("2016-07-01 00:00:00", "2016-07-01 01:00:00", "2016-07-01 02:00:00"), Clock("seconds", 3600.0), "1 hour"),
        (("2024-03-01", "2024-03-08", "2024-03-15"), Clock("seconds", 7 * 86400.0), "7 days"),
        (("2024-03-07", "2024-03-08", "2024-03-11", "2024-03-12"), Clock("workdays", 1.0), "1 working day"),
        (("1700", "1701", "1702"), Clock("number", 1.0), "1 row"),
    ],
)
def test_steps_are_one_apart(texts: tuple[str, ...], clock: Clock, step: str) -> None:
    found = times(*texts)
    assert Clock.of(found) == clock
    assert clock.step == step
    positions = clock.positions(found)
    assert (positions - positions[0]).tolist() == list(range(len(texts)))
    for place, time in enumerate(found):
        assert clock.later(found[0], place) == time


def test_the_clock_put_back_leaves_an_hour_an_hour() -> None:
    found = times("2024-10-27T01:00+02:00", "2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00")
    assert Clock.of(found) == Clock("seconds", 3600.0)


def test_times_are_written_as_a_table_has_them() -> None:
    assert Clock("months", 1.0).text(datetime(1960, 12, 1)) == "1960-12"
    assert Clock("seconds", 86400.0).text(datetime(1960, 12, 1)) == "1960-12-01"
    assert Clock("seconds", 60.0).text(datetime(1960, 12, 1, 5)) == "1960-12-01 05:00:00"
    assert Clock("number", 1.0).text(1708.0) == "1708"


@pytest.mark.parametrize(
    ("text", "pattern", "time"),
    [
        ("2024/05/01 13:00", None, datetime(2024, 5, 1, 13)),
        ("20240501", None, datetime(2024, 5, 1)),
        ("01.05.2024", "%d.%m.%Y", datetime(2024, 5, 1)),
        ("17.5", None, 17.5),
        ("yesterday", None, None),
        ("", None, None),
    ],
)
def test_times_are_read(text: str, pattern: str | None, time: Time | None) -> None:
    assert read_time(text, pattern) == time
