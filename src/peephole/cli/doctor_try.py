"""`peephole doctor RUN --try`: the first cure, tried."""

import sys
from pathlib import Path

from peephole.cli.parsing import emit
from peephole.cli.progress import Progress
from peephole.doctor.diagnosis import Diagnosis
from peephole.doctor.run_case import load_any
from peephole.doctor.treatment import Treated, treat
from peephole.errors import InputError
from peephole.train.contract import Interrupted, Listener

FOLDER = "treatment"


def try_first(folder: Path, diagnosis: Diagnosis, minutes: float, quiet: bool) -> Treated | None:
    """Train with the cure of the first cause that has one which can be tried, and print what came of it."""
    first = diagnosis.first
    if first is None:
        if not quiet:
            emit("\nnothing to try: no cause is sure enough\n")
        return None
    model = load_any(folder)
    listener = Listener() if quiet else Progress(model, sys.stderr)
    try:
        treated = treat(model, first, folder / FOLDER / first.name.replace(" ", "-").lower(), minutes, listener)
    except Interrupted:
        raise InputError("stopped; the same command goes on with the cure from where it was") from None
    finally:
        if isinstance(listener, Progress):
            listener.close()
    if not quiet:
        emit(f"\n{treated.verdict}\nthe treated run: {treated.folder}\n")
    return treated
