"""One file a task: data, model, divergence, metric and sample, wired together. `load` opens any run.

Beside them, experiments that train many small nets: `static`, `taps`, `horizon`.
"""

from pathlib import Path

from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.tasks.model import TaskModel
from peephole.tasks.presets import PRESETS
from peephole.tasks.problem import ProblemModel
from peephole.tasks.text import TextModel


def task_named(run: Run) -> type[TextModel] | type[ProblemModel]:
    """The kind of model that a run holds. `InputError` for a task that this version does not know."""
    task = run.read_config()["task"]
    if task == "text":
        return TextModel
    if task in PRESETS:
        return ProblemModel
    raise InputError(f"{run.folder}: a run of the task {task!r}; this version knows text, {', '.join(PRESETS)}")


def load(folder: Path | str) -> TextModel | ProblemModel:
    """The trained model in a run folder. `InputError` if it is no run or cannot be read."""
    run = Run.open(Path(folder))
    return task_named(run).open(run)


def resume(folder: Path | str) -> TaskModel:
    """A run to go on training, killed at whatever moment."""
    run = Run.open(Path(folder))
    return task_named(run).resume(run)


def load_text(folder: Path | str) -> TextModel:
    """The language model in a run folder. `InputError` for the run of another task."""
    model = load(folder)
    if not isinstance(model, TextModel):
        name = model.task.problem.name
        raise InputError(f"{folder}: a run of {name}, which is no text; `peephole eval` and `predict` take it")
    return model
