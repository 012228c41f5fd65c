"""`peephole doctor RUN --plant CAUSE`: a small run that is ill on purpose."""

import sys
from pathlib import Path

from peephole.cli.parsing import emit
from peephole.errors import InputError


def list_faults() -> int:
    """Print every fault and the tasks that can have it."""
    from peephole.doctor.planting.faults import PLANTINGS

    width = max(map(len, PLANTINGS))
    for cause, planting in PLANTINGS.items():
        emit(f"  {cause.ljust(width)}   {', '.join(_offered(planting.tasks))}\n")
    return 0


def plant(cause: str, strength: int, task: str | None, seed: int, folder: Path) -> None:
    """Train a small run with the fault in `folder`. `InputError` for what cannot be planted, or a folder in use."""
    from peephole.cli.progress import Progress
    from peephole.doctor.planting.faults import PLANTINGS, Fault
    from peephole.doctor.planting.model import PlantedModel

    fault = Fault(cause, strength)
    tasks = _offered(PLANTINGS[cause].tasks)
    if task is not None and task not in tasks:
        raise InputError(f"--task is {task!r}; {cause} can be planted in {', '.join(tasks)}")
    model = PlantedModel.create(task or tasks[0], fault, seed, folder)
    progress = Progress(model, sys.stderr)
    try:
        model.fit(progress)
    finally:
        progress.close()


def _offered(tasks: tuple[str, ...]) -> tuple[str, ...]:
    """Those that need no text of one's own."""
    from peephole.doctor.planting.faults import TEXTS

    return tuple(task for task in tasks if task == "text" or task not in TEXTS)
