"""The options of a command that trains many runs of one task: its own, and those that `peephole train` has for it."""

import dataclasses
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from peephole.cli.parsing import parse, unescape
from peephole.cli.train_text import Text
from peephole.data.config import TextData
from peephole.models.config import ModelConfig
from peephole.train.config import LoopConfig, TrainingConfig
from peephole.train.curriculum import SizedTraining

if TYPE_CHECKING:
    from peephole.tasks.config import ProblemTask, TextTask


@dataclass(frozen=True)
class AnyCell(ModelConfig):
    """What all the nets have in common; --cells says in what they differ."""

    cell: Annotated[Literal["lstm", "gru", "rnn"], tyro.conf.Fixed, tyro.conf.Suppress] = "lstm"


@dataclass(frozen=True)
class TextTrial(TrainingConfig):
    """How each trial is trained."""

    minutes: Annotated[float | None, tyro.conf.Fixed, tyro.conf.Suppress] = None


@dataclass(frozen=True)
class ProblemTrial(SizedTraining):
    """How each trial is trained."""

    minutes: Annotated[float | None, tyro.conf.Fixed, tyro.conf.Suppress] = None


@dataclass(frozen=True)
class Defaults:
    """What `peephole train` trains of a task where nothing else is said. `data` is None of text, or the problem."""

    about: str
    data: Any
    model: ModelConfig
    training: LoopConfig


def defaults_of(task: str) -> Defaults:
    """The defaults of a task: of text, or of a problem its preset, that learns it."""
    if task == "text":
        return Defaults("A language model of text.", None, ModelConfig(), TrainingConfig())
    from peephole.tasks.presets import PRESETS

    preset = PRESETS[task]
    about = " ".join((type(preset.problem).__doc__ or "").split("\n\n")[0].split())
    return Defaults(about, preset.problem, preset.model, preset.training)


def parse_task(
    command: str, own: type, task: str, words: list[str], description: str, hiding: tuple[type, ...]
) -> tuple[Any, "TextTask | ProblemTask"]:
    """A command's own options, and the task that the words make of the defaults.

    `hiding` are kinds of settings, of those above, that lack options of `peephole train` that this command decides.
    """
    defaults = defaults_of(task)
    training = defaults.training
    if not {TextTrial, ProblemTrial} & {*hiding} and any(word.split("=")[0] == "--minutes" for word in words):
        training = in_minutes(training, None)
    data = Text() if defaults.data is None else defaults.data
    parts = {"data": data, "model": _hidden(defaults.model, hiding), "training": _hidden(training, hiding)}
    fields = [(name, type(part), field(default=part)) for name, part in parts.items()]
    kind = make_dataclass("Options", [(command, own, field(default_factory=own)), *fields], frozen=True)
    options: Any = parse(kind, f"{command} {task}", words, description.format(about=defaults.about))
    return getattr(options, command), _task(defaults, options)


def in_minutes(training: LoopConfig, minutes: float | None) -> LoopConfig:
    """The training with a budget in minutes in place of steps; a curriculum keeps the steps that it grows over."""
    if isinstance(training, SizedTraining):
        training = dataclasses.replace(training, steps=None, grow_over=training.growing_steps)
    return dataclasses.replace(training, steps=None, minutes=minutes)


def _hidden(part: Any, hiding: tuple[type, ...]) -> Any:
    """The same settings, of the kind that lacks an option where there is one."""
    kind = next((kind for kind in hiding if issubclass(kind, type(part))), type(part))
    return kind(**vars(part))


def _task(defaults: Defaults, options: Any) -> "TextTask | ProblemTask":
    from peephole.tasks.config import ProblemTask, TextTask

    model = type(defaults.model)(**vars(options.model))
    training: Any = type(defaults.training)(**vars(options.training))
    if defaults.data is None:
        return TextTask(
            TextData(**{**vars(options.data), "separator": unescape(options.data.separator)}), model, training
        )
    return ProblemTask(options.data, model, training)
