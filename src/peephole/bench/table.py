"""What was found as text: a line a case, then means and worst ratios, then what was not measured and why."""

from collections.abc import Iterable
from itertools import groupby

from peephole.bench.growth import Growth, Series
from peephole.bench.results import OURS, Measured, Report


def case_line(one: Measured) -> str:
    """One case in one line: our time, the back end, and every ratio."""
    if OURS in one.red:
        return f"{one.case}: RED, not timed: {one.red[OURS]}"
    ratios = [(name, one.ratio(name)) for name in one.seconds if name != OURS]
    text = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios if ratio is not None)
    backend = one.backend.partition(":")[0]
    wrong = "".join(f"; RED {name}" for name in one.red)
    return f"{one.case} [{backend}]: {duration(one.median(OURS))}; {text}{wrong}"


def text_of(found: Report | Growth) -> str:
    """Everything that was found."""
    return _report_text(found) if isinstance(found, Report) else _growth_text(found)


def _report_text(report: Report) -> str:
    parts = [str(report.machine), EXPLANATION]
    for threads, group in groupby(report.measured, lambda one: one.case.threads):
        parts.append(f"{threads} threads\n\n{_cases_text(list(group))}")
    parts.append(_summaries_text(report))
    reasons: dict[str, set[str]] = {}
    for one in report.measured:
        for said in one.refused.values():
            reasons.setdefault(said, set()).add(f"{one.case.cell} {one.case.dtype} {one.case.mode}")
    if reasons:
        lines = [f"  {said} ({len(cases)} of the rows above)" for said, cases in sorted(reasons.items())]
        parts.append("not compared:\n" + "\n".join(lines))
    if report.red:
        parts.append("RED, never timed:\n" + "\n".join(f"  {line}" for line in report.red))
    return "\n\n".join(parts) + "\n"


EXPLANATION = """\
Ratios are their time over ours: above 1 we are faster. `product`: the rate of ours as a share of that of plain matrix
products with the same operations. `peephole lstm`: our plain LSTM; the summary turns it round, our time over its."""


def _cases_text(group: list[Measured]) -> str:
    """A block for each cell, dtype and mode, headed by the back end of ours, with a line a shape."""
    blocks: list[str] = []
    for (cell, dtype, mode), rows in _grouped(group).items():
        names = list(dict.fromkeys(name for one in rows for name in one.seconds if name != OURS))
        backends = "; ".join(dict.fromkeys(one.backend.partition("\n")[0] for one in rows))
        columns = "".join(f"  {name:>{len(name)}}" for name in names)
        lines = [f"{cell} {dtype} {mode} ({backends})", f"  {'TxB(xI)xH':<16} {'time':>9} {'GFLOP/s':>8}{columns}"]
        for one in rows:
            if OURS not in one.seconds:
                lines.append(f"  {one.case.shape!s:<16} {'RED':>9}")
                continue
            seconds = one.median(OURS)
            ratios = "".join(f"  {_number(one.ratio(name)):>{len(name)}}" for name in names)
            rate = one.case.flops / seconds / 1e9
            lines.append(f"  {one.case.shape!s:<16} {duration(seconds):>9} {rate:8.1f}{ratios}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _grouped(group: Iterable[Measured]) -> dict[tuple[str, str, str], list[Measured]]:
    found: dict[tuple[str, str, str], list[Measured]] = {}
    for one in group:
        found.setdefault((one.case.cell, one.case.dtype, one.case.mode), []).append(one)
    return found


def _number(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _summaries_text(report: Report) -> str:
    lines = [f"  {'summary':<40} {'against':<32} {'shapes':>6} {'geo mean':>9} {'worst':>7}  at"]
    for one in sorted(report.summaries(), key=lambda one: (one.cell, one.dtype, one.mode)):
        what = f"{one.cell} {one.dtype} {one.mode}"
        against = f"cost over {one.against}" if one.cost else one.against
        where = f"  ({one.where})" if one.where else ""
        lines.append(
            f"  {what:<40} {against:<32} {one.count:6} {one.geometric_mean:9.2f} {one.worst:7.2f}"
            f"  {one.worst_shape}{where}"
        )
    for one in report.measured:
        ratio = one.ratio("peephole lstm")
        if one.case.spec.peephole == "full" and ratio is not None:
            operations = f"{one.flops_over_plain():.2f} times its operations"
            lines.append(f"  {one.case}: {1 / ratio:.2f} times our plain LSTM's time for {operations}")
    return "\n".join(lines)


def _growth_text(growth: Growth) -> str:
    parts = [str(growth.machine)]
    for axis, group in groupby(growth.series(), lambda one: one.axis):
        parts.append("\n".join([f"time of one run over {axis}", *map(_series_line, group)]))
    if growth.red:
        parts.append("RED, never timed:\n" + "\n".join(f"  {line}" for line in growth.red))
    return "\n\n".join(parts) + "\n"


def _series_line(one: Series) -> str:
    what = f"{one.cell} {one.mode}, {one.name}"
    times = "  ".join(f"{value:,}: {duration(seconds)}" for value, seconds in zip(one.values, one.seconds, strict=True))
    end = "" if len(one.values) < 2 else f"  (~ {one.axis}^{one.exponent:.2f} at the end)"
    return f"  {what:<44} {times}{end}"


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    if seconds >= 999.5:
        return f"{seconds:.0f} s"
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= 0.9995 * scale:  # what three digits round to one of it
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"
