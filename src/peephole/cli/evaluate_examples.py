"""`peephole eval RUN` of a task on a data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from peephole.cli.decoding import decode_as_asked, with_decoding
from peephole.cli.parsing import emit, parse
from peephole.cli.scores_out import table_of
from peephole.cli.stability_out import check_folder, emit_json, write_figure
from peephole.figures import styled

DESCRIPTION = (
    "How good is the net of a run on data that it never saw, beside the mlp and the naive methods where they "
    "were asked for or cost nothing? On the test part; where there is none on what was held out while training."
)


@dataclass(frozen=True)
class EvalExamples:
    """Options of `peephole eval RUN` of a task on a data set."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Which part to measure on. auto: test where there is one, else held-out.
    part: Literal["auto", "test", "held-out", "train"] = "auto"

    # Print the tables too, such as the score of each label.
    tables: bool = False

    # Folder for the figures.
    out: Path | None = None

    # Print one JSON object.
    json: bool = False


def run(words: list[str]) -> int:
    """Measure, draw, print."""
    options = parse(with_decoding(EvalExamples, words), "eval", words, DESCRIPTION)
    check_folder(options.out)
    from peephole.tasks import load
    from peephole.tasks.examples.model import ExamplesModel

    model = load(options.run)
    assert isinstance(model, ExamplesModel)
    decode_as_asked(model, options)
    part = None if options.part == "auto" else options.part.replace("-", "_")
    found = model.measure(part)
    written: Path | None = None
    if options.out is not None:
        from matplotlib.figure import Figure

        for title, result in found.pictures:
            with styled():
                figure = Figure(figsize=(7, 4.5), layout="constrained")
                result.plot(figure.subplots())
            written = write_figure(options.out, title.lower().replace(" ", "-"), figure)
    if options.json:
        emit_json({"run": str(options.run), **found.as_dict()}, written)
        return 0
    emit(table_of(found, options.tables))
    if written is not None:
        emit(f"wrote {len(found.pictures)} figures into {options.out}\n")
    return 0
