"""`peephole units RUN`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from peephole.cli.parsing import emit, parse
from peephole.cli.stability_out import check_folder, emit_json, emit_lines, write_figure
from peephole.errors import InputError
from peephole.figures import styled

if TYPE_CHECKING:
    from peephole.units import Unit, Units

DESCRIPTION = (
    "Units of a language model that follow something in the text: inside quotes or comments, bracket depth, "
    "indentation, position in the line, or a regular expression; of one that reads words, capitals, numbers, place and "
    "length of the sentence. Each is chosen on one half of the held-out text, "
    "judged on the other by correlation and a permutation test, and then held still while the net reads, beside random "
    "units."
)
HEADER = (
    "property",
    "unit",
    "r where chosen",
    "r held out",
    "Holm's p",
    "R² lost",
    "more than of others",
    "bits where it is",
)
PASSAGES, LENGTH = 4, 240  # shown in a terminal: units, and characters of each
GROUNDS = {-4: 27, -3: 33, -2: 75, -1: 153, 1: 217, 2: 215, 3: 209, 4: 202}  # of the terminal's 256: blue, then orange


@dataclass(frozen=True)
class UnitsOptions:
    """Options of `peephole units RUN`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # A regular expression, or NAME=REGEX, beside the properties that are looked for anyway: what is inside a match.
    # ^ and $ match at every line. An expression with = in it is written as =REGEX.
    property: tuple[str, ...] = ()

    # Units of the same layer to compare with, each held still in turn; 0 leaves that away.
    random: int = 100

    # Folder for the figure, units.png.
    out: Path | None = None

    # Print one JSON object.
    json: bool = False


def run(words: list[str]) -> int:
    """Read, search, print."""
    options = parse(UnitsOptions, "units", words, DESCRIPTION)
    if options.random < 0:
        raise InputError(f"--random is {options.random}; expected at least 0")
    check_folder(options.out)
    from peephole.tasks import load_text
    from peephole.units import find_units

    model = load_text(options.run)
    found = find_units(model, options.property, ablate=options.random > 0, random=max(1, options.random))
    written = None if options.out is None else _draw(options.out, found)
    if options.json:
        emit_json({"run": str(options.run), **found.as_dict()}, written)
        return 0
    emit_lines((found.verdict,), [HEADER, *map(_row, found.each)], written)
    if found.values.left_out:
        emit(f"left out: {', '.join(found.values.left_out)}\n")
    if sys.stdout.isatty():
        _show(found)
    return 0


@styled()
def _draw(folder: Path, found: "Units") -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.5 + 0.35 * len(found.each)), layout="constrained")
    found.plot(figure.add_subplot())
    return write_figure(folder, "units", figure)


def _row(unit: "Unit") -> tuple[str, ...]:
    judged = unit.follows, unit.name, f"{unit.chosen_r:+.2f}", f"{unit.r:+.2f}", f"{unit.holm:.2g}"
    ablation = unit.ablation
    if ablation is None:
        return (*judged, "-", "-", "-")
    lost = f"{ablation.loss:.3f} of {ablation.explained:.2f}"
    return (*judged, lost, f"{ablation.percentile:.0f} %", f"{ablation.rise:+.3f} ({ablation.rise_elsewhere:+.3f})")


def _show(found: "Units") -> None:
    """A few lines of text for some units, coloured by them."""
    from peephole.report.showing import clusters
    from peephole.units import stretch

    for unit in found.telling[:PASSAGES]:
        where = stretch(found, unit, LENGTH)
        values = found.reading.layers[unit.layer].values[unit.kind][:, where.row, unit.unit].double().tolist()
        largest = max(map(abs, values)) or 1.0
        emit(f"\n{unit.follows}: {unit.name}, blue −{largest:.2g}, orange +{largest:.2g}\n")
        spelled = found.reading.spelled[where.row][where.start : where.stop]
        levels = [round(4 * value / largest) for value in values[where.start : where.stop]]
        emit("".join(_coloured(one.text, levels[one.end - 1]) for one in clusters(spelled)) + "\x1b[0m\n")


def _coloured(text: str, level: int) -> str:
    shown = text.replace("\n", "⏎").replace("\t", "⇥")
    end = "\n" if text.endswith("\n") else ""
    return f"{shown}{end}" if level == 0 else f"\x1b[30;48;5;{GROUNDS[level]}m{shown}\x1b[0m{end}"
