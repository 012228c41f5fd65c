"""The options of a command that trains many runs of one task: its own, and those that `peephole train` has for it."""

import dataclasses
import typing
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from peephole.cli.by_task import DATA_TASKS
from peephole.cli.parsing import bare, first_paragraph, parse, retyped, unescape, with_files
from peephole.cli.start import as_wide_as_vectors
from peephole.cli.train_text import Text
from peephole.data.config import TextData
from peephole.models.config import ModelConfig
from peephole.models.language.config import LanguageConfig
from peephole.train.config import LoopConfig, TrainingConfig
from peephole.train.curriculum import SizedTraining

if TYPE_CHECKING:
    from peephole.tasks.comparing.record import Task


@dataclass(frozen=True)
class Defaults:
    """What `peephole train` trains of a task where nothing else is said. `data` is None of text, or the problem, or
    where the data of a task on a data set comes from.
    """

    about: str
    data: Any
    model: ModelConfig
    training: LoopConfig


def defaults_of(task: str) -> Defaults:
    """The defaults of a task: of a problem its preset, that learns it."""
    if task == "text":
        return Defaults("A language model of text.", None, LanguageConfig(), TrainingConfig())
    if task in DATA_TASKS:
        from peephole.tasks import data_task

        kind = data_task(task)
        usual = kind.defaults()
        return Defaults(first_paragraph(kind), usual.data, usual.model, usual.training)
    from peephole.tasks.presets import PRESETS

    preset = PRESETS[task]
    return Defaults(first_paragraph(type(preset.problem)), preset.problem, preset.model, preset.training)


def parse_task(
    command: str, own: type, task: str, words: list[str], description: str, hiding: str
) -> tuple[Any, "Task"]:
    """A command's own options, and the task that the words make of the defaults.

    `hiding` is the option of `peephole train` that this command decides: cell, or minutes.
    """
    defaults = defaults_of(task)
    training = defaults.training
    flags = {word.split("=")[0].removeprefix("--") for word in words}
    if flags & {*training.budgets()} and (hiding != "minutes" or "minutes" not in flags):
        training = in_minutes(training, None)
    data = Text() if defaults.data is None else with_files(defaults.data) if task in DATA_TASKS else defaults.data
    parts = {"data": data, "model": _hidden(defaults.model, hiding), "training": _hidden(training, hiding)}
    fields = [(name, type(part), field(default=part)) for name, part in parts.items()]
    kind = make_dataclass("Options", [(command, own, field(default_factory=own)), *fields], frozen=True)
    kind = as_wide_as_vectors(kind, words)
    options: Any = parse(kind, f"{command} {task}", words, description.format(about=defaults.about))
    return getattr(options, command), _task(task, defaults, options)


def in_minutes(training: LoopConfig, minutes: float | None) -> LoopConfig:
    """The training with a budget in minutes in place of steps; a curriculum keeps the steps that it grows over."""
    if isinstance(training, SizedTraining):
        training = dataclasses.replace(training, steps=None, grow_over=training.growing_steps)
    return dataclasses.replace(training, **{**dict.fromkeys(training.budgets()), "minutes": minutes})


def _hidden(part: Any, name: str) -> Any:
    """The same settings, without an option of that name where there is one."""
    hints = typing.get_type_hints(type(part))
    if name not in hints:
        return part
    return retyped(part, name, Annotated[hints[name], tyro.conf.Fixed, tyro.conf.Suppress])


def _task(name: str, defaults: Defaults, options: Any) -> "Task":
    from peephole.tasks.config import ProblemTask, TextTask

    model, training = bare(options.model, defaults.model), bare(options.training, defaults.training)
    if name in DATA_TASKS:
        from peephole.tasks import data_task

        return data_task(name).settings(bare(options.data, defaults.data), model, training)
    if defaults.data is None:
        return TextTask(
            TextData(**{**vars(options.data), "separator": unescape(options.data.separator)}), model, training
        )
    return ProblemTask(options.data, model, training)
