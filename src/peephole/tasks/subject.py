"""`Subject`: a run that is looked at, whatever became of it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.runs.history import best_row
from peephole.tasks import task_named
from peephole.tasks.model import TaskModel
from peephole.tasks.problem import ProblemModel
from peephole.tasks.text.model import TextModel
from peephole.train.checkpoint import find_checkpoint

ATTEMPTS = 3  # a training may replace its checkpoint while it is read


@dataclass(frozen=True, eq=False)
class Subject:
    """A run with its model. `trained` is false where no weights were ever kept: what the model holds then is noise."""

    model: TaskModel
    trained: bool = True

    @property
    def run(self) -> Run:
        return self.model.run

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """The rows of the run, as they were when first asked for."""
        return self.run.read_history()

    @property
    def last(self) -> dict[str, Any]:
        """The newest row; empty where there is none."""
        return self.history[-1] if self.history else {}

    @property
    def best(self) -> dict[str, Any] | None:
        """The row of the best measurement on held-out data."""
        return best_row(self.history)

    def need_weights(self) -> None:
        """Raise `InputError` where there are none."""
        if not self.trained:
            raise InputError("this run kept no weights, it ended before its first checkpoint")


def look_at(folder: Path | str) -> Subject:
    """The run in a folder, trained or not, in training or not. `InputError` if it is none or cannot be read."""
    run = Run.open(Path(folder))
    kind = task_named(run)
    for attempt in range(ATTEMPTS):
        if not run.model_path.exists() and find_checkpoint(run.checkpoint_folder) is None:
            needed = {TextModel: run.tokenizer_path, ProblemModel: None}.get(kind, run.encoding_path)
            if needed is not None and not (run.data_folder.exists() and needed.exists()) and not _shares_data(run):
                raise InputError(f"{folder}: ended before its data was read, there is nothing to look at; train again")
            return Subject(kind.resume(run), trained=False)
        try:
            return Subject(kind.open(run))
        except (InputError, FileNotFoundError):
            if attempt == ATTEMPTS - 1 or not run.is_training():
                raise
    raise AssertionError


def _shares_data(run: Run) -> bool:
    """Whether the run is an mlp that reads the data of the run it stands beside."""
    return run.read_config()["settings"].get("net") == "mlp"
