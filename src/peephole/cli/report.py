"""`peephole report RUN`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from peephole.cli.parsing import emit, parse
from peephole.errors import InputError

DESCRIPTION = (
    "A run as one HTML file that needs no network and prints: what was trained on what, learning curves beside "
    "baselines, how far gradients reached while it was trained and reach now, saturation, timescales, Lyapunov "
    "exponents, held-out text coloured by surprisal and by units, samples, and the papers behind it. A run in training "
    "can be looked at too; what a run lacks is said in its place."
)


@dataclass(frozen=True)
class Report:
    """Options of `peephole report`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # HTML file to write. Default: report.html in the run folder.
    out: Path | None = None

    # Units whose values colour the held-out text, as layer:unit such as 0:12, or with a gate, 0:12:f. Default: those
    # that follow something in the text most closely.
    units: tuple[str, ...] = ()


def run(words: list[str]) -> int:
    """Look at the run, write the file, say where."""
    options = parse(Report, "report", words, DESCRIPTION)
    from peephole.figures import check_installed

    check_installed()
    out = options.run / "report.html" if options.out is None else options.out
    if options.out is not None:
        _check(options.out)
    from peephole.report import look_at, write

    subject = look_at(options.run)
    found = write(subject, out, options.units)
    emit(f"{found.headline}\nwrote {out}\n")
    return 0


def _check(out: Path) -> None:
    """Raise `InputError`, before anything is measured, for a file that cannot be written."""
    if out.is_dir():
        raise InputError(f"{out}: is a folder; expected a file, such as {out / 'report.html'}")
    if not out.absolute().parent.is_dir() or not os.access(out.absolute().parent, os.W_OK):
        raise InputError(f"{out}: cannot be written; expected a file in a folder that exists and can be written")
