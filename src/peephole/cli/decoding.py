"""Options of how answers are searched for, which each task has of its own: more beams, a language model beside it."""

from dataclasses import field, make_dataclass
from typing import TYPE_CHECKING, Any

from peephole.cli.by_task import DATA_TASKS, task_of

if TYPE_CHECKING:
    from peephole.tasks.examples.model import ExamplesModel


def with_decoding(kind: type, words: list[str]) -> type:
    """The options of a command, and where the run among the words has a task that searches, those of its search."""
    task = task_of(words)
    if task not in DATA_TASKS:
        return kind
    from peephole.tasks import data_task

    settings = data_task(task).decoding_settings
    if settings is None:
        return kind
    made: Any = make_dataclass(
        kind.__name__, [("decoding", settings, field(default_factory=settings))], bases=(kind,), frozen=True
    )
    made.__module__, made.__doc__ = kind.__module__, kind.__doc__
    return made


def decode_as_asked(model: "ExamplesModel", options: Any) -> None:
    """Let the model of a run search as the options say."""
    asked = getattr(options, "decoding", None)
    if asked is not None:
        model.decoding = asked
