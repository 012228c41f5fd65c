"""What the rows of a history say of a run: which measurement was the best, and by what."""

from collections.abc import Mapping, Sequence
from typing import Any


def judged(measured: Mapping[str, Any]) -> tuple[float, float]:
    """What decides between weights, the lower the better: `judged`, such as a share of errors, and where that is the
    same, or there is none, the divergence `held_out`.
    """
    return measured.get("judged", measured["held_out"]), measured["held_out"]


def measured_rows(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with a measurement on held-out data."""
    return [dict(row) for row in history if isinstance(row.get("held_out"), int | float)]


def best_row(history: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The row of the best measurement, the first of several; None where nothing was measured."""
    return min(measured_rows(history), key=judged, default=None)
