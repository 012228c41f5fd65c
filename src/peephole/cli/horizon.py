"""`peephole horizon`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.cli.parsing import parse
from peephole.cli.stability_out import check_folder, emit_json, emit_lines, write_figure
from peephole.errors import InputError
from peephole.figures import styled
from peephole.train.budget import Budget

if TYPE_CHECKING:
    from peephole.tasks.horizon import HorizonStudy, Net

DESCRIPTION = (
    "Does the horizon predict what can be learnt? For every cell, initialisation and seed: how far back the answer's "
    "gradient reaches before training, and the longest lag over which the same net then learns to remember within a "
    "fixed budget; the rank correlation of the two, with its interval. What is done stays in --out, and the same "
    "command goes on with it, after a kill too."
)


@dataclass(frozen=True)
class Horizon(Budget):
    """Options of `peephole horizon`."""

    # Which cells: rnn (with tanh and with relu), gru, lstm; each with every initialisation that it can have.
    cells: tuple[str, ...] = ("rnn", "gru", "lstm")

    # Nets of each cell and initialisation, with the seeds 0, 1, 2, …
    seeds: int = 3

    # Longest lag that is tried, and how far back the gradient is followed.
    longest: int = 500

    # Units of the recurrent layer.
    hidden_size: int = 32

    # Folder for the figure, horizon.png, the table, horizon.csv, and what is done so far.
    out: Path | None = None

    # Print one JSON object, with every net. A horizon that is longer than --longest is null in it.
    json: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("seeds", "longest", "hidden_size"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected at least 1")


def run(words: list[str]) -> int:
    """Measure, train, draw, print."""
    options = parse(Horizon, "horizon", words, DESCRIPTION)
    check_folder(options.out)
    import torch

    from peephole.runs.rows import Rows
    from peephole.tasks.horizon import horizon_study, settings_of
    from peephole.tasks.starts import starts_of

    starts = starts_of(options.cells)
    if len(starts) * options.seeds < 3:
        raise InputError(f"got {len(starts) * options.seeds} nets; expected at least 3, to put them in order")
    torch.set_num_threads(1)  # more would wait for each other: the nets are small
    budget = Budget(**{name: getattr(options, name) for name in Budget.__dataclass_fields__})
    progress = _Progress(len(starts) * options.seeds)
    with Rows.open(options.out, settings_of(budget, options.longest, options.hidden_size)) as rows:
        found = horizon_study(
            starts, range(options.seeds), budget, options.longest, options.hidden_size, rows, progress.tell
        )
    written = None if options.out is None else _write(options.out, found)
    if options.json:
        emit_json(_tree(found), written)
    else:
        emit_lines((found.verdict,), _rows(found), written)
    return 0


class _Progress:
    """A line a net on the error stream."""

    def __init__(self, total: int) -> None:
        self.done, self.total = 0, total

    def tell(self, net: "Net") -> None:
        self.done += 1
        horizon = "beyond the longest lag" if net.horizon is None else f"{net.horizon}"
        said = f"{net.start.text}, seed {net.seed}: horizon {horizon}, solved {net.solved.lag or 'none'}"
        print(f"{self.done}/{self.total}  {said}", file=sys.stderr, flush=True)


@styled()
def _write(folder: Path, found: "HorizonStudy") -> Path:
    from matplotlib.figure import Figure

    from peephole.writing import write_whole

    header = "cell,start,seed,horizon,horizon_low,horizon_high,solved_lag"
    lines = [
        ",".join(
            f'"{value}"' if isinstance(value, str) else "" if value is None else str(value)
            for value in _row(net).values()
        )
        for net in found.nets
    ]
    write_whole(folder / "horizon.csv", ("\n".join((header, *lines)) + "\n").encode())
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    found.plot(figure.subplots())
    return write_figure(folder, "horizon", figure)


def _row(net: "Net") -> dict[str, Any]:
    return {
        "cell": net.start.family,
        "start": net.start.text,
        "seed": net.seed,
        "horizon": net.horizon,
        "low": net.low,
        "high": net.high,
        "solved_lag": net.solved.lag,
    }


def _rows(found: "HorizonStudy") -> list[tuple[str, ...]]:
    """A row a start: horizons, then solved lags, a number a seed."""
    rows = [("start", "horizon, each seed", "longest lag solved")]
    for start in dict.fromkeys(net.start for net in found.nets):
        those = [net for net in found.nets if net.start == start]
        horizons = (f"> {found.longest}" if net.horizon is None else f"{net.horizon}" for net in those)
        rows.append((start.text, ", ".join(horizons), ", ".join(f"{net.solved.lag or 'none'}" for net in those)))
    within = [
        (f"within {family}", f"rank correlation {each.value:.2f}, {each.count} nets")
        for family, each in found.within.items()
    ]
    return [*rows, *within]


def _tree(found: "HorizonStudy") -> dict[str, Any]:
    correlation = {name: vars(each) for name, each in found.within.items()}
    return {
        "verdict": found.verdict,
        "rank_correlation": vars(found.correlation),
        "within": correlation,
        "lags": found.lags,
        "steps": found.budget.steps,
        "nets": [{**_row(net), "tried": net.solved.tried} for net in found.nets],
    }
