"""One file or package a task: data, model, divergence, metric and sample, wired together. `load` opens any run.

Beside them, experiments that train many small nets: `static`, `taps`, `horizon`.
"""

from importlib import import_module
from pathlib import Path

from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.model import TaskModel
from peephole.tasks.presets import PRESETS
from peephole.tasks.problem import ProblemModel
from peephole.tasks.text.model import TextModel

# Tasks on data sets of sequences: the class of each, loaded when it is asked for, for it may need an extra.
DATA_TASKS = {
    "tagging": "TaggingModel",
    "classification": "ClassificationModel",
    "forecasting": "ForecastingModel",
    "music": "MusicModel",
    "speech": "SpeechModel",
    "translation": "TranslationModel",
    "captioning": "CaptioningModel",
}

EMBEDDINGS = ("skipgram", "cbow")  # runs of `embed`


def data_task(name: str) -> type[ExamplesModel]:
    """The class of a task on a data set."""
    found = getattr(import_module(f"peephole.tasks.{name}.model"), DATA_TASKS[name])
    assert issubclass(found, ExamplesModel)
    return found


def task_class(name: str) -> type[TextModel] | type[ProblemModel] | type[ExamplesModel] | None:
    """The kind of model of a task; None for one that this version does not know."""
    if name in DATA_TASKS:
        return data_task(name)
    return TextModel if name == "text" else ProblemModel if name in PRESETS else None


def task_named(run: Run) -> type[TextModel] | type[ProblemModel] | type[ExamplesModel]:
    """The kind of model that a run holds. `InputError` for a task that this version does not know."""
    task = run.read_config()["task"]
    found = task_class(task)
    if task in EMBEDDINGS:
        raise InputError(
            f"{run.folder}: a run of {task}, vectors of words and no net that could do this; `peephole words` looks at "
            "them, `peephole train --vectors` starts a net from them"
        )
    if found is None:
        known = ", ".join(["text", *DATA_TASKS, *PRESETS])
        raise InputError(f"{run.folder}: a run of the task {task!r}; this version knows {known}")
    return found


def load(folder: Path | str) -> TextModel | ProblemModel | ExamplesModel:
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
        name = model.run.read_config()["task"]
        raise InputError(f"{folder}: a run of {name}, which is no text; `peephole eval` and `predict` take it")
    return model
