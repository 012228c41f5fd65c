"""How the training went: what its history says of divergences, gradient norms and learning rates."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.doctor.examination import Examination

Numbers = NDArray[np.float64]

PARTS = 10  # of a training, each of which is summed up by its median
FEWEST = 20  # rows of a history that say anything about how it went


@dataclass(frozen=True, eq=False)
class Course:
    """The rows of a history as columns, `[rows]`; NaN where a row has no such number.

    Attributes:
        steps: the number of the step, counted from 1.
        divergences: of the training batch, a target.
        norms: of the gradient, before it was shortened.
        rates: the learning rate of the step.
        held_out_steps: the steps that were followed by a measurement on held-out data, `[measurements]`.
        held_out: what that found, `[measurements]`.
        died: what the training said as it died; empty where it did not.
        born: the parameter whose gradient grew first, where the training died and says so.
    """

    steps: Numbers
    divergences: Numbers
    norms: Numbers
    rates: Numbers
    held_out_steps: Numbers
    held_out: Numbers
    died: str = ""
    born: str = ""

    @property
    def parts(self) -> Numbers:
        """The median divergence of each tenth of the training, `[10]`; empty of a short one."""
        if len(self.divergences) < FEWEST:
            return np.empty(0)
        return np.array([_median(part) for part in np.array_split(self.divergences, PARTS)])

    @property
    def peak(self) -> float:
        """The largest learning rate; NaN where none is known."""
        known = self.rates[np.isfinite(self.rates)]
        return float(known.max()) if len(known) else math.nan

    @property
    def usual_norm(self) -> float:
        """The median gradient norm; NaN where none is known."""
        return _median(self.norms)

    @property
    def jumps(self) -> Numbers:
        """|change| of the divergence from each row to the next, as a share of the mean of the two, `[rows - 1]`."""
        before, after = self.divergences[:-1], self.divergences[1:]
        return np.abs(after - before) / np.maximum((after + before) / 2, 1e-12)


def course(examination: Examination) -> Course:
    """Read from the history; empty columns where there is none."""
    rows = [row for row in examination.case.history if isinstance(row.get("step"), int | float)]
    last: Mapping[str, Any] = rows[-1] if rows else {}
    went = [row for row in rows if "died" not in row]
    measured = [row for row in went if _number(row.get("held_out")) == _number(row.get("held_out"))]
    return Course(
        _column(went, "step"),
        _column(went, "divergence"),
        _column(went, "gradient_norm"),
        _column(went, "learning_rate"),
        _column(measured, "step"),
        _column(measured, "held_out"),
        str(last.get("died") or ""),
        str(last.get("born") or ""),
    )


def _column(rows: list[Mapping[str, Any]], name: str) -> Numbers:
    return np.array([_number(row.get(name)) for row in rows], dtype=np.float64)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _median(values: Numbers) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan
