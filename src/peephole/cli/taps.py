"""`peephole taps`."""

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
    from peephole.tasks.taps_result import TapsNet, TapsStudy

DESCRIPTION = (
    "How many taps does it take to remember? The longest lag that an RNN learns when its last k hidden states come "
    "back, beside LSTM and GRU with the same budget and as many parameters. What is done stays in --out, and the same "
    "command goes on with it, after a kill too."
)


@dataclass(frozen=True)
class Taps(Budget):
    """Options of `peephole taps`."""

    # Numbers of hidden states that come back. More than 10 run on the plain equations, slow.
    taps: tuple[int, ...] = (1, 2, 3, 4, 6, 8)

    # Nets of each kind, with the seeds 0, 1, 2, …
    seeds: int = 5

    # Longest lag that is tried.
    longest: int = 500

    # Units of the LSTM; the others are as wide as gives as many parameters.
    hidden_size: int = 32

    # Folder for the figure, taps.png, and what is done so far.
    out: Path | None = None

    # Print one JSON object, with every net. A horizon that is longer than --longest is null in it.
    json: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("seeds", "longest", "hidden_size"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected at least 1")


def run(words: list[str]) -> int:
    """Train, draw, print."""
    options = parse(Taps, "taps", words, DESCRIPTION)
    check_folder(options.out)
    import torch

    from peephole.runs.rows import Rows
    from peephole.tasks.taps import settings_of, taps_study

    torch.set_num_threads(1)  # more would wait for each other: the nets are small
    budget = Budget(**{name: getattr(options, name) for name in Budget.__dataclass_fields__})
    sizes = options.longest, options.hidden_size
    with Rows.open(options.out, settings_of(budget, *sizes)) as rows:
        found = taps_study(options.taps, range(options.seeds), budget, *sizes, rows, _tell)
    written = None if options.out is None else _draw(options.out, found)
    if options.json:
        emit_json(_tree(found), written)
    else:
        emit_lines((found.verdict,), _rows(found), written)
    return 0


def _tell(net: "TapsNet") -> None:
    print(f"{net.text}, seed {net.seed}: solved {net.solved.lag or 'none'}", file=sys.stderr, flush=True)


@styled()
def _draw(folder: Path, found: "TapsStudy") -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    found.plot(figure.subplots())
    return write_figure(folder, "taps", figure)


def _rows(found: "TapsStudy") -> list[tuple[str, ...]]:
    """A row a kind of net: its width, then solved lags, a number a seed."""
    rows = [("net", "units", "parameters", "horizon, each seed", "longest lag solved")]
    for name in dict.fromkeys(net.text for net in found.nets):
        those = [net for net in found.nets if net.text == name]
        horizons = ", ".join(f"> {found.lags[-1]}" if net.horizon is None else f"{net.horizon}" for net in those)
        solved = ", ".join(f"{net.solved.lag or 'none'}" for net in those)
        rows.append((name, f"{those[0].hidden_size}", f"{those[0].parameters:,}", horizons, solved))
    return rows


def _tree(found: "TapsStudy") -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "steps_a_tap": dict(zip(("value", "low", "high"), found.slope, strict=True)),
        "lags": found.lags,
        "steps": found.budget.steps,
        "nets": [
            {
                "net": net.text,
                "taps": net.taps,
                "seed": net.seed,
                "hidden_size": net.hidden_size,
                "parameters": net.parameters,
                "horizon": net.horizon,
                "solved_lag": net.solved.lag,
                "tried": net.solved.tried,
            }
            for net in found.nets
        ],
    }
