"""Trainings in folders of their own within one, that go on where they were stopped, whatever stopped them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.nn.explanation import explain_backend
from peephole.runs.folder import Run, process_rank
from peephole.runs.rows import Rows
from peephole.tasks import task_class
from peephole.tasks.comparing.record import Task
from peephole.tasks.config import name_of, settings_of
from peephole.tasks.model import TaskModel
from peephole.train.config import LoopConfig
from peephole.train.contract import Listener


def check_net(model: ModelConfig) -> None:
    """Raise `InputError` for a net that cannot be built or that no back end computes."""
    explain_backend(SequenceModel(2, model))


def check_alone(training: LoopConfig) -> None:
    """Raise `InputError` where several processes would share a training: a grid trains one after the other."""
    if training.devices > 1 or process_rank():
        raise InputError(f"--devices is {training.devices}; expected 1, many trainings run one after the other here")


@contextmanager
def held(folder: Path, settings: Mapping[str, Any]) -> Iterator[Rows]:
    """The rows of a folder that holds many runs, which is made if it is missing.

    Where nothing could be begun, because the text or the settings cannot be used, nothing is left behind: the same
    folder then takes the command that was mended. `InputError` for a folder that holds something else.
    """
    if (folder / "config.json").is_file():
        raise InputError(f"{folder}: is a run; expected a folder to hold many, choose another --out")
    absolute = folder.absolute()
    made = [path for path in (absolute, *absolute.parents) if not path.exists()]
    fresh = not (folder / "settings.json").is_file()
    with Rows.open(folder, settings) as rows:
        try:
            yield rows
        except InputError:
            if fresh and not any(path.is_dir() or path.name == "rows.jsonl" for path in folder.iterdir()):
                (folder / "settings.json").unlink()
                (folder / ".lock").unlink()
                for path in made:
                    path.rmdir()
            raise


def train_into(task: Task, folder: Path, listener: Listener) -> None:
    """Train `task` in `folder` to the end of its budget: from the beginning, or from where a run there was stopped.

    Raises:
        NotFinite: its numbers are no longer finite; the same settings would end so again.
        InputError: the folder holds another run, or the text, disk or settings cannot be used.
    """
    _model(task, folder).fit(listener)


def _model(task: Task, folder: Path) -> TaskModel:
    kind: Any = task_class(name_of(task))
    if not (folder / "config.json").is_file():
        return kind.create(task, folder)
    run = Run.open(folder)
    config, given = run.read_config(), json.loads(json.dumps(settings_of(task)))
    if given.get("vectors_sha256", "") is None:  # known from the moment that a run is made
        given["vectors_sha256"] = config["settings"].get("vectors_sha256")
    if config["task"] != name_of(task) or config["settings"] != given:
        raise InputError(f"{folder}: holds a run of other settings; move it away, or choose another --out")
    return kind.resume(run)
