"""`peephole words RUN [WORD …]`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from peephole.cli.compare_out import check_figure, emit_table, write_figure
from peephole.cli.parsing import emit, parse
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.embed.found import Geometry
    from peephole.embed.vectors import Neighbour

DESCRIPTION = (
    "One-hot vectors of the symbols of a run on text beside the vectors that its net has learnt in their place: "
    "dimensions, how densely they lie, distances and cosines, and what the frequency of a word does to them. With "
    "WORDS, the symbols whose vectors point most nearly the same way as theirs."
)


@dataclass(frozen=True)
class Words:
    """Options of `peephole words`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Words of the vocabulary (of a run over characters, characters) whose nearest ones are listed, by cosine.
    words: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[WORDS ...]")] = ()

    # How many of them.
    count: int = 10

    # File for the figure of distances: its ending, .svg, .png or .pdf, says in which format.
    out: Path | None = None

    # Print one JSON object.
    json: bool = False


def run(words: list[str]) -> int:
    """Measure, list, draw, print."""
    options = parse(Words, "words", words, DESCRIPTION)
    if options.count < 1:
        raise InputError(f"--count is {options.count}; expected at least 1")
    check_figure(options.out)
    from peephole.embed.geometry import measure
    from peephole.tasks import load_text
    from peephole.tasks.text.projection import vectors_of

    model = load_text(options.run)
    vectors = vectors_of(model)
    nearest = {word: vectors.nearest(word, options.count) for word in options.words}
    found = measure(vectors)
    if options.out is not None:
        from peephole.figures import draw

        write_figure(options.out, draw(found.plot))
    if options.json:
        near = {word: [asdict(one) for one in neighbours] for word, neighbours in nearest.items()}
        figure = None if options.out is None else str(options.out)
        emit(json.dumps({"run": str(options.run), **found.as_dict(), "nearest": near, "figure": figure}) + "\n")
        return 0
    _show(found, nearest, model.unit)
    if options.out is not None:
        emit(f"wrote {options.out}\n")
    return 0


def _show(found: "Geometry", nearest: "dict[str, tuple[Neighbour, ...]]", unit: str) -> None:
    emit(f"{found.verdict}\n")
    width = max(len(name) for name, *_ in found.rows)
    emit(f"  {'':{width}}  {'one-hot':<20}  learnt\n")
    for name, one_hot, learnt in found.rows:
        emit(f"  {name:{width}}  {one_hot:<20}  {learnt}\n")
    if found.groups:
        header = (f"{unit} by how often they came", "times", "mean length", "cosine of the nearest")
        rows = [(one.name, f"{one.least:,} to {one.most:,}", f"{one.length:.2f}", f"{one.nearest:.2f}")
                for one in found.groups]  # fmt: skip
        emit_table([header, *rows])
    for word, neighbours in nearest.items():
        emit(f"{word}: {', '.join(f'{one.word} {one.cosine:.2f}' for one in neighbours)}\n")
