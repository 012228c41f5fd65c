"""`peephole stability RUN`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from peephole.cli.parsing import parse
from peephole.cli.stability_out import check_folder, emit_json, emit_lines, write_figure
from peephole.errors import InputError
from peephole.figures import styled

if TYPE_CHECKING:
    from peephole.stability.examination import Examination

DESCRIPTION = (
    "The recurrent net of a run on text or examples that it never saw: does it blow up, saturate or forget, how far "
    "back do its gradients reach, and what does truncation lose."
)

SAMPLED_STEPS = 64  # of one sequence, for what multiplies whole matrices


@dataclass(frozen=True)
class StabilityRun:
    """Options of `peephole stability RUN`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Steps of each sequence: of text, after as many that only warm the states up, by default 200; of a problem, the
    # size of its examples, by default that of training. What lasts longer is reported as lasting longer.
    steps: int | None = None

    # Sequences, taken at even distances from the held-out text, or made anew. Intervals are over them.
    sequences: int = 16

    # Times from which gradients are sent back, spread over the sequence.
    targets: int = 16

    # Folder for the figure, stability.png.
    out: Path | None = None

    # Print one JSON object.
    json: bool = False


def run(words: list[str]) -> int:
    """Measure, draw, print."""
    options = parse(StabilityRun, "stability", words, DESCRIPTION)
    for name, least in (("steps", 2), ("sequences", 1), ("targets", 1)):
        if getattr(options, name) is not None and getattr(options, name) < least:
            raise InputError(f"--{name} is {getattr(options, name)}; expected at least {least}")
    check_folder(options.out)
    from peephole.stability.examination import examine
    from peephole.tasks import load

    model = load(options.run)
    batch, divergence = model.examined(options.sequences, options.steps)
    sample, _ = model.examined(1, options.steps, SAMPLED_STEPS)
    found = examine(model.model, batch, divergence, options.targets, sample)
    written = None if options.out is None else _draw(options.out, found)
    if options.json:
        emit_json({"run": str(options.run), **found.as_dict()}, written)
    else:
        rows = [(f"{name}:", sentence) for name, sentence in found.findings.items()]
        emit_lines((found.verdict,), rows, written)
    return 0


@styled()
def _draw(folder: Path, found: "Examination") -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(18, 9), layout="constrained")
    found.plot(figure)
    return write_figure(folder, "stability", figure)
