"""`peephole stability scalar --weight W`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.cli.parsing import parse
from peephole.cli.stability_out import check_folder, emit_json, emit_lines, write_figure
from peephole.figures import styled

if TYPE_CHECKING:
    from peephole.stability.recurrences.cycles import Cycle
    from peephole.stability.recurrences.memory_curve import MemoryCurve
    from peephole.stability.recurrences.scalar import ScalarRecurrence

DESCRIPTION = (
    "One unit that feeds itself, h(t) = f(w h(t-1) + c x + b): all its fixed points and cycles, which start goes where "
    "and how fast, and how long it remembers with other weights."
)


@dataclass(frozen=True)
class StabilityScalar:
    """Options of `peephole stability scalar`."""

    # The recurrent weight w.
    weight: float

    # What f is: sigmoid, tanh, relu or identity.
    activation: str = "tanh"

    # The bias b.
    bias: float = 0.0

    # c x, the same at every step.
    input: float = 0.0

    # Values of h(0). Default: ten across [-1, 1] and a margin around every fixed point.
    starts: tuple[float, ...] = ()

    # How many steps are followed and drawn. Limits do not depend on it.
    steps: int = 50

    # Folder for the figure, scalar.png: trajectories, cobweb, and memory over the weight.
    out: Path | None = None

    # Print one JSON object, with the trajectories. What is infinite (never, out of bounds) is null in it.
    json: bool = False


def run(words: list[str]) -> int:
    """Measure, draw, print."""
    options = parse(StabilityScalar, "stability scalar", words, DESCRIPTION)
    check_folder(options.out)
    from peephole.stability.recurrences.memory_curve import memory_curve
    from peephole.stability.recurrences.scalar import scalar_recurrence

    found = scalar_recurrence(
        options.activation, options.weight, options.bias, options.input, options.starts or None, options.steps
    )
    curve = memory_curve(options.activation, bias=options.bias, input=options.input)
    written = None if options.out is None else _draw(options.out, found, curve)
    if options.json:
        emit_json(_tree(found, curve), written)
    else:
        emit_lines((found.verdict, curve.verdict), _rows(found), written)
    return 0


@styled()
def _draw(folder: Path, found: "ScalarRecurrence", curve: "MemoryCurve") -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 4.5), layout="constrained")
    trajectories, cobweb, memory = figure.subplots(1, 3)
    found.plot(trajectories)
    found.plot_cobweb(cobweb)
    curve.plot(memory)
    low, high = memory.get_xlim()
    if low <= found.weight <= high:
        memory.axvline(found.weight, color="0.5", linewidth=1, linestyle="--")
    return write_figure(folder, "scalar", figure)


def _rows(found: "ScalarRecurrence") -> list[tuple[str, ...]]:
    from peephole.stability.recurrences.settling import LONGEST

    rows = [_row(cycle) for cycle in found.portrait.cycles]
    between = found.contested_drives
    if between is not None:
        what = "two limits" if found.weight > 0 else "a cycle of two"
        rows.append((what, f"for {between[0]:.4g} < b + c x < {between[1]:.4g}, one limit elsewhere"))
    starts = found.trajectories[0].tolist()
    for start, (even, odd), steps in zip(starts, found.limits.T.tolist(), found.settling.tolist(), strict=True):
        ends, left = (
            f"to h = {even:.4g}" if even == odd else f"to h = {even:.4g}, {odd:.4g}",
            f"1 % left after {steps:.0f}",
        )
        if math.isinf(even):
            ends, left = "leaves all bounds", ""
        elif math.isinf(steps):
            left = f"1 % left after more than {LONGEST:,}"
        rows.append((f"start {start:.4g}", ends, left))
    return rows


def _row(cycle: "Cycle") -> tuple[str, ...]:
    name = "fixed point" if cycle.period == 1 else "cycle of two"
    points = ", ".join(f"{point:.6g}" for point in cycle.points)
    usual = {"attracting": "from both sides", "repelling": "nothing"}.get(cycle.kind)
    attracts = "" if cycle.attracts == usual else f", attracts {cycle.attracts}"
    return name, f"h = {points}", f"multiplier {cycle.multiplier:.4g}", f"{cycle.kind}{attracts}"


def _tree(found: "ScalarRecurrence", curve: "MemoryCurve") -> dict[str, Any]:
    continuum = found.portrait.continuum
    return {
        "verdict": found.verdict,
        "activation": found.activation,
        "weight": found.weight,
        "bias": found.bias,
        "input": found.input,
        "outcome": found.outcome,
        "cycles": [
            {**vars(cycle), "kind": cycle.kind, "rate": cycle.rate, "half_life": cycle.half_life}
            for cycle in found.portrait.cycles
        ],
        "continuum": None if continuum is None else vars(continuum),
        "contested_drives": found.contested_drives,
        "starts": found.trajectories[0],
        "limits": found.limits,
        "settling": found.settling,
        "trajectories": found.trajectories,
        "memory": {
            "verdict": curve.verdict,
            "starts": curve.starts,
            "weights": curve.weights,
            "steps": curve.steps,
            "outcomes": curve.outcomes,
        },
    }
