"""One file a task: data, model, divergence, metric and sample, wired together. `load` opens any run."""

from pathlib import Path

from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.tasks.text import TextModel


def load(folder: Path | str) -> TextModel:
    """The trained model in a run folder, with its vocabulary. `InputError` if it is no run or cannot be read."""
    run = Run.open(Path(folder))
    task = run.read_config()["task"]
    if task != "text":
        raise InputError(f"{folder}: a run of the task {task!r}; this version knows text")
    return TextModel.open(run)
