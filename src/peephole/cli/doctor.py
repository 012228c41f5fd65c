"""`peephole doctor RUN`; with --plant a run that is ill on purpose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from peephole.cli.parsing import parse
from peephole.cli.stability_out import check_folder, emit_json
from peephole.errors import InputError

DESCRIPTION = (
    "Why a net does not learn, and what to change: findings ranked by what they cost, each with what was measured, the "
    "cause, the cure and how sure it is; what only shows that something is wrong stands apart. A run in training can "
    "be looked at too, and one whose data is gone. --try trains briefly with the first cure. --plant makes a small run "
    "that is ill in one way, to see what that looks like."
)


@dataclass(frozen=True)
class Doctor:
    """Options of `peephole doctor`."""

    # Run folder; with --plant the one to make.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Train briefly with the first cure, from the beginning, and show the held-out divergence before and after; what is
    # trained stays in RUN/treatment and can be gone on with.
    try_: Annotated[bool, tyro.conf.arg(name="try")] = False

    # Minutes that a training of --try may take; where the run took longer, it is trained anew as it was as well, so
    # that both had the same.
    try_minutes: float = 1.0

    # Show what is hardly sure too.
    all: bool = False

    # Folder for a figure of each finding.
    out: Path | None = None

    # Print one JSON object.
    json: bool = False

    # Make a small run with this fault first, such as "learning rate too high"; "list" lists all that there are.
    plant: str | None = None

    # How gross the fault is: 1 hardly shows, 3 cannot be missed.
    strength: int = 2

    # Task to plant it in; left out, the first that can have it.
    task: str | None = None

    # Seed of the planted run.
    seed: int = 0


def run(words: list[str]) -> int:
    """Plant if asked, diagnose, print; try the cure if asked."""
    if "--plant" in words and "list" in words[words.index("--plant") :][1:2]:
        return _list()
    options = parse(Doctor, "doctor", words, DESCRIPTION)
    if not 0 < options.try_minutes < float("inf"):
        raise InputError(f"--try-minutes is {options.try_minutes}; expected more than 0, and finite")
    check_folder(options.out)
    from peephole.cli.doctor_out import draw, show

    if options.plant is not None:
        from peephole.cli.doctor_plant import plant

        plant(options.plant, options.strength, options.task, options.seed, options.run)
    from peephole.doctor.diagnose import diagnose_case
    from peephole.doctor.run_case import read_case

    diagnosis = diagnose_case(read_case(options.run))
    written = None if options.out is None else draw(diagnosis, options.out)
    treated = None
    if not options.json:
        show(diagnosis, options.run, options.all, written)
    if options.try_:
        from peephole.cli.doctor_try import try_first

        treated = try_first(options.run, diagnosis, options.try_minutes, quiet=options.json)
    if options.json:
        tree = {**diagnosis.as_dict(), "treated": None if treated is None else treated.as_dict()}
        emit_json(tree, written)
    return 0


def _list() -> int:
    from peephole.cli.doctor_plant import list_faults

    return list_faults()
