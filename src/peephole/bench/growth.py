"""How time grows with one size while the others stay: T to 100,000, B, H, and threads."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from peephole.bench.cases import Case, Shape, weight
from peephole.bench.machine import Machine, this_machine
from peephole.bench.measure import check_names, measure_case
from peephole.bench.results import FORMAT, Measured, write_measured
from peephole.bench.timing import Budget, shared

if TYPE_CHECKING:
    from matplotlib.axes import Axes

USUAL_PEERS = ("torch", "onnxruntime")
GATED_STEPS = 1000  # the equations keep every step for their gradients; what is wrong is wrong by then
AXES = {
    "T": tuple(Shape(steps, 1, 128, 128) for steps in (100, 1_000, 10_000, 100_000)),
    "B": tuple(Shape(100, batch, 128, 128) for batch in (1, 4, 16, 64, 256)),
    "H": tuple(Shape(100, 16, hidden, hidden) for hidden in (32, 64, 128, 256, 512, 1024)),
    "threads": (Shape(100, 64, 256, 256),),
}


@dataclass(frozen=True)
class Point:
    """One measurement on an axis: T, B, H or threads is `value`."""

    axis: str
    value: int
    measured: Measured


@dataclass(frozen=True)
class Series:
    """What one contestant took along an axis: values, and seconds of one run at each."""

    axis: str
    cell: str
    mode: str
    name: str
    values: tuple[int, ...]
    seconds: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """p of time ~ value^p from the last two values; NaN with one value. Linear time in T is 1."""
        if len(self.values) < 2:
            return math.nan
        (near, far), (less, more) = self.values[-2:], self.seconds[-2:]
        return math.log(more / less) / math.log(far / near)


@dataclass(frozen=True)
class Growth:
    """Every point, axis by axis."""

    machine: Machine
    points: tuple[Point, ...]

    @property
    def red(self) -> tuple[str, ...]:
        """What was wrong with results, one line each; empty when all were right."""
        ones = (point.measured for point in self.points)
        return tuple(f"{one.case}: {name}: {said}" for one in ones for name, said in one.red.items())

    def series(self) -> tuple[Series, ...]:
        """The times of each contestant for each axis, cell and mode."""
        found: dict[tuple[str, str, str, str], list[tuple[int, float]]] = {}
        for point in self.points:
            case = point.measured.case
            for name in point.measured.seconds:
                key = (point.axis, f"{case.cell} {case.dtype}", case.mode, name)
                found.setdefault(key, []).append((point.value, point.measured.median(name)))
        return tuple(Series(*key, *zip(*pairs, strict=True)) for key, pairs in found.items())

    def as_json(self) -> dict[str, Any]:
        """Plain values: the machine, every point, and each contestant's exponents."""
        rows = [{"axis": point.axis, "value": point.value, **write_measured(point.measured)} for point in self.points]
        # NaN is no JSON
        series = [
            {**asdict(one), "exponent": None if math.isnan(one.exponent) else one.exponent} for one in self.series()
        ]
        return {"format": FORMAT, "machine": asdict(self.machine), "growth": rows, "series": series}

    def plot(self, ax: "Axes", axis: str) -> None:
        """Draw seconds over one axis, both logarithmic, a line for each cell, mode and contestant."""
        from peephole.bench.plot import draw_growth

        draw_growth(ax, self, axis)


def plan(
    cells: Sequence[str], dtypes: Sequence[str], modes: Sequence[str], threads: int
) -> tuple[tuple[str, int, Case], ...]:
    """Axis, value and case of every point; the axis of threads goes to `threads` by doubling."""
    counts = sorted({*(2**power for power in range(threads.bit_length()) if 2**power < threads), threads})
    found: list[tuple[str, int, Case]] = []
    for axis, shapes in AXES.items():
        for shape in shapes:
            for cell, dtype, mode in ((cell, dtype, mode) for cell in cells for dtype in dtypes for mode in modes):
                for count in counts if axis == "threads" else (threads,):
                    value = {"T": shape.steps, "B": shape.batch, "H": shape.hidden_size, "threads": count}[axis]
                    found.append((axis, value, Case(cell, shape, dtype, mode, count)))
    return tuple(found)


def measure_growth(
    points: Sequence[tuple[str, int, Case]],
    *,
    peers: Sequence[str] = USUAL_PEERS,
    backend: str = "auto",
    minutes: float = 6.0,
    rounds: int | None = None,
    shown: Callable[[int, int, Measured], None] | None = None,
) -> Growth:
    """Measure every point of `plan`, in about `minutes` for all, or with `rounds` for each; three rounds at least.

    Beyond 1000 steps the gate compares the first 1000. Raises `InputError` for unknown names.
    """
    check_names(peers, backend)
    found: list[Point] = []
    weights = [weight(case) for _, _, case in points]
    end = time.perf_counter() + 60 * minutes
    for number, (axis, value, case) in enumerate(points):
        share = shared(end - time.perf_counter(), weights[number:])
        gated = None
        if case.shape.steps > GATED_STEPS:
            gated = replace(case, shape=replace(case.shape, steps=GATED_STEPS))
        found.append(Point(axis, value, measure_case(case, peers, backend, Budget(share, rounds), gated)))
        if shown is not None:
            shown(number + 1, len(points), found[-1].measured)
    return Growth(this_machine(), tuple(found))
