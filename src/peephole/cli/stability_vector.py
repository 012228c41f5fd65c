"""`peephole stability vector W.npy`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from peephole.cli.parsing import parse
from peephole.cli.stability_out import check_folder, emit_json, emit_lines, write_figure
from peephole.figures import styled

if TYPE_CHECKING:
    import numpy as np

    from peephole.stability.recurrences.linear import LinearRecurrence
    from peephole.stability.recurrences.vector import VectorRecurrence

DESCRIPTION = (
    "A layer that feeds itself, h(t) = f(W h(t-1)): whether it blows up, forgets its start or keeps several limits "
    "apart. For the identity from the eigenvalues of W and what they hide, else from many starts."
)
LINEAR_STEPS = 100  # enough to see W^t go its way, as its eigenvalues say what follows
STEPS = 200  # enough for most states to settle


@dataclass(frozen=True)
class StabilityVector:
    """Options of `peephole stability vector`."""

    # File with the recurrent weights W, square: .npy, or text with a row a line.
    weight: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="W.npy")]

    # What f is: identity, tanh, sigmoid, relu or softmax.
    activation: str = "identity"

    # How many steps are followed. Default: 200; with the identity 100, or as many as W allows within float64.
    steps: int | None = None

    # How many random starts are followed. Not for the identity, where one start stands for all.
    starts: int = 32

    # Seed of the starts.
    seed: int = 0

    # Folder for the figure, vector.png.
    out: Path | None = None

    # Print one JSON object.
    json: bool = False


def run(words: list[str]) -> int:
    """Measure, draw, print."""
    options = parse(StabilityVector, "stability vector", words, DESCRIPTION)
    check_folder(options.out)
    from peephole.cli.matrix_file import read_matrix
    from peephole.stability.recurrences.activations import check_vector_activation

    check_vector_activation(options.activation)
    weight = read_matrix(options.weight)
    if options.activation == "identity":
        return _linear(options, weight)
    return _nonlinear(options, weight)


def _linear(options: StabilityVector, weight: "np.ndarray") -> int:
    from peephole.stability.recurrences.linear import linear_recurrence
    from peephole.stability.recurrences.transient import transient

    steps = _most_steps(weight) if options.steps is None else options.steps
    found, before = linear_recurrence(weight, steps=steps), transient(weight, steps)
    written = None
    if options.out is not None:
        from matplotlib.figure import Figure

        with styled():
            figure = Figure(figsize=(11, 4.5), layout="constrained")
            for ax, result in zip(figure.subplots(1, 2), (found, before), strict=True):
                result.plot(ax)
        written = write_figure(options.out, "vector", figure)
    if options.json:
        tree = {
            "verdict": found.verdict,
            "transient": before.verdict,
            "activation": "identity",
            "units": len(found.weight),
            "behaviour": found.behaviour,
            "spectral_radius": found.spectral_radius,
            "modes": [
                {**vars(mode), "rate": mode.rate, "half_life": mode.half_life, "period": mode.period}
                for mode in found.modes
            ],
            "power_norms": found.power_norms,
        }
        emit_json(tree, written)
    else:
        emit_lines((found.verdict, before.verdict), _modes(found), written)
    return 0


def _most_steps(weight: "np.ndarray") -> int:
    """100, or fewer where ‖W‖ to that power could leave float64."""
    import numpy as np

    size = float(np.linalg.norm(weight.astype(np.float64), 2))
    return LINEAR_STEPS if size <= 1 else max(1, min(LINEAR_STEPS, int(700 / math.log(size))))


def _modes(found: "LinearRecurrence") -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for mode in found.modes[:10]:
        value = mode.eigenvalue
        shown = f"{value.real:.4g} ± {value.imag:.4g}i" if mode.is_pair else f"{value.real:.4g}"
        times = "" if mode.multiplicity == 1 else f"{mode.multiplicity} times"
        pace = ""
        if math.isfinite(mode.half_life):
            pace = f"half-life {mode.half_life:.3g} steps"
        elif math.isfinite(mode.doubling_time):
            pace = f"doubled in {mode.doubling_time:.3g} steps"
        rows.append((f"λ = {shown}", f"|λ| = {mode.rate:.4g}", mode.behaviour, pace, times))
    if len(found.modes) > len(rows):
        rows.append((f"and {len(found.modes) - len(rows)} more",))
    return rows


def _nonlinear(options: StabilityVector, weight: "np.ndarray") -> int:
    from peephole.stability.recurrences.vector import vector_recurrence

    steps = STEPS if options.steps is None else options.steps
    found = vector_recurrence(weight, options.activation, starts=options.starts, steps=steps, seed=options.seed)
    written = None
    if options.out is not None:
        from matplotlib.figure import Figure

        with styled():
            figure = Figure(figsize=(12, 5), layout="constrained")
            forgetting, states = figure.subplots(1, 2)
            found.plot(forgetting)
            found.plot_states(states)
        written = write_figure(options.out, "vector", figure)
    if options.json:
        ending = found.ending
        tree = {
            "verdict": found.verdict,
            "activation": found.activation,
            "units": found.trajectories.shape[2],
            "steps": found.steps,
            "forgotten_after": found.forgotten_after,
            "rate": found.rate,
            "distances": found.distances.square().mean(1).sqrt(),
            "left_at": found.left_at,
            "left": found.left,
            "blows_up": ending.blows_up,
            "growth": ending.growth,
            "periods": ending.periods,
            "limit_of": ending.limit_of,
            "limits": ending.limits,
            "saturated": found.saturated,
        }
        emit_json(tree, written)
    else:
        emit_lines((found.verdict,), _looks(found), written)
    return 0


def _looks(found: "VectorRecurrence") -> list[tuple[str, ...]]:
    """Distances and singular values at the steps that were looked at."""
    typical = found.distances.square().mean(1).sqrt()
    rows: list[tuple[str, ...]] = [("step", "distance of two starts", "singular values of ∂h(t)/∂h(0)")]
    for t, values in zip(found.left_at, found.left, strict=True):
        rows.append((f"{t}", f"{typical[t].item():.3g}", f"{values[0].item():.3g} to {values[-1].item():.3g}"))
    return rows
