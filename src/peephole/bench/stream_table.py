"""What was found of streams as text: a table for each part, then who was not compared and why."""

from collections.abc import Sequence

from peephole.bench.stream_cases import PARTS
from peephole.bench.stream_results import PAIRS, Stepped, StreamReport
from peephole.bench.table import duration

EXPLANATION = """\
Times are of one step, the middle over rounds; a ratio is the middle over rounds of their time over ours in each: above
1 we are faster. `peephole bfloat16` and `peephole int8` store weights so; `LSTMCell` is a loop over torch's cells."""


def step_line(one: Stepped) -> str:
    """One case in one line: the time of a step of each, and who was wrong."""
    wrong = "".join(f"; RED {name}" for name in one.red)
    if one.case.reference in one.red:
        return f"{one.case}: RED, not timed: {one.red[one.case.reference]}"
    return f"{one.case}: " + ", ".join(f"{name} {duration(one.median(name))}" for name in one.seconds) + wrong


def text_of(report: StreamReport) -> str:
    """Everything that was found."""
    parts = [str(report.machine), EXPLANATION]
    for threads, engine in dict.fromkeys((one.case.threads, one.engine) for one in report.stepped):
        parts.append(f"{threads} threads; ours: {engine}")
    for part, write in (("step", _step_text), ("many", _many_text), ("cells", _cells_text)):
        if report.part(part):
            parts.append("\n".join([PARTS[part], *write(report, report.part(part))]))
    if report.idle is not None:
        parts.append(_idle_text(report))
    refused = dict.fromkeys(f"  {name}: {said}" for one in report.stepped for name, said in one.refused.items())
    if refused:
        parts.append("\n".join(["not compared:", *refused]))
    if report.red:
        parts.append("\n".join(["RED, never timed:", *(f"  {line}" for line in report.red)]))
    return "\n\n".join(parts) + "\n"


def _step_text(report: StreamReport, group: Sequence[Stepped]) -> list[str]:
    """Times, a line a size, with what each was off by; then ratios, a line a pair."""
    names = list(dict.fromkeys(name for one in group for name in one.errors))
    width = {name: max(len(name), 7) for name in names}
    lines = ["  " + f"{'LxH':<8}" + "".join(f"  {name:>{width[name]}}" for name in names)]
    for one in group:
        times = (duration(one.median(name)) if name in one.seconds else "-" for name in names)
        times = ("RED" if name in one.red else time for name, time in zip(names, times, strict=True))
        lines.append(
            f"  {one.case.size!s:<8}"
            + "".join(f"  {time:>{width[name]}}" for name, time in zip(names, times, strict=True))
        )
    worst = {name: max(one.errors.get(name, 0.0) for one in group) for name in names}
    lines.append(f"  {'off by':<8}" + "".join(f"  {worst[name]:>{width[name]}.1e}" for name in names))
    sizes = [one.case.size for one in group]
    lines += ["", f"  {'their time over ours':<36}" + "".join(f"{size!s:>8}" for size in sizes) + "  geo mean"]
    means = {(one.theirs, one.ours): one.geometric_mean for one in report.summaries()}
    for pair in PAIRS:
        if pair in means:
            ratios = "".join(f"{_number(one.ratio(*pair)):>8}" for one in group)
            lines.append(f"  {f'{pair[0]} / {pair[1]}':<36}{ratios}  {means[pair]:8.2f}")
    return lines


def _many_text(report: StreamReport, group: Sequence[Stepped]) -> list[str]:
    """A line a number of streams."""
    heads = ("a step", "GFLOP/s", "of product", "torch.nn", "torch.nn / peephole")
    lines = [f"  {group[0].case.size!s} float32", f"  {'streams':<8}" + "".join(f"  {head:>10}" for head in heads)]
    for one in group:
        ours = one.case.reference
        if ours not in one.seconds:
            lines.append(f"  {one.case.streams:<8}  {'RED':>10}")
            continue
        share, theirs = one.share(ours), duration(one.median("torch.nn")) if "torch.nn" in one.seconds else "-"
        cells = (
            duration(one.median(ours)),
            f"{one.flops[ours] / one.median(ours) / 1e9:.1f}",
            "-" if share is None else f"{100 * share:.0f} %",
            theirs,
            _number(one.ratio("torch.nn", ours)),
        )
        text = "".join(f"  {cell:>{max(10, len(head))}}" for cell, head in zip(cells, heads, strict=True))
        lines.append(f"  {one.case.streams:<8}{text}")
    return lines


def _cells_text(report: StreamReport, group: Sequence[Stepped]) -> list[str]:
    """A line a cell: its time and operations, and the time of an operation beside the first one's."""
    heads = ("a step", "MFLOP", "per FLOP")
    lines: list[str] = []
    for one in group:
        lines.append(f"  {one.case.size} float32, one stream; per FLOP: over that of {one.case.reference}")
        lines.append(f"  {'cell':<16}" + "".join(f"  {head:>8}" for head in heads))
        for name in one.flops:
            if name not in one.seconds:
                lines.append(f"  {name:<16}  {'RED' if name in one.red else '-':>8}")
                continue
            time, cost = duration(one.median(name)), _number(one.cost(name))
            lines.append(f"  {name:<16}  {time:>8}  {one.flops[name] / 1e6:8.2f}  {cost:>8}")
    return lines


def _idle_text(report: StreamReport) -> str:
    idle = report.idle
    assert idle is not None
    if idle.refused:
        return f"{PARTS['memory']}: not measured: {idle.refused}"
    return (
        f"{PARTS['memory']}\n  {idle.bytes_each:.1f} bytes of each of {idle.streams:,} streams of an LSTM of "
        f"{idle.size}: {idle.state_bytes} of its state, {idle.beside_state:.1f} beside it"
    )


def _number(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"
