"""`peephole eval RUN` of one of the problems."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from peephole.cli.exactness import show
from peephole.cli.parsing import parse
from peephole.cli.stability_out import check_folder, emit_json, write_figure
from peephole.figures import styled

DESCRIPTION = (
    "At which sizes is the net of a run exact? On new examples of the size that it was trained on, and far beyond, "
    "beside the static net that was trained on the same examples."
)


@dataclass(frozen=True)
class EvalProblem:
    """Options of `peephole eval RUN` of a problem."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Sizes to measure: bits, digits, steps, whatever the problem is a matter of. Default: that of training, one more,
    # twice, ten and a hundred times it.
    sizes: tuple[int, ...] = ()

    # Examples of each size.
    sequences: int = 200

    # Folder for the figure, exactness.png.
    out: Path | None = None

    # Print one JSON object.
    json: bool = False


def run(words: list[str]) -> int:
    """Measure, draw, print."""
    options = parse(EvalProblem, "eval", words, DESCRIPTION)
    check_folder(options.out)
    from peephole.tasks import load
    from peephole.tasks.problem import ProblemModel

    model = load(options.run)
    assert isinstance(model, ProblemModel)
    measured = model.measure(options.sizes, options.sequences)
    written = None
    if options.out is not None:
        from matplotlib.figure import Figure

        with styled():
            figure = Figure(figsize=(7, 4.5), layout="constrained")
            measured.plot(figure.subplots())
        written = write_figure(options.out, "exactness", figure)
    if options.json:
        emit_json({"run": str(options.run), **measured.as_dict()}, written)
    else:
        show(measured, written)
    return 0
