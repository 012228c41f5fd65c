"""The settings of each task, as one frozen dataclass, to and from the JSON of a run's `config.json`."""

import dataclasses
import typing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from peephole.data.config import TextData
from peephole.data.problems.problem import Problem
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.language.config import LanguageConfig
from peephole.tasks.presets import PRESETS
from peephole.train.config import TrainingConfig
from peephole.train.curriculum import SizedTraining


@dataclass(frozen=True)
class TextTask:
    """A language model: read text, learn to predict the next token, write."""

    data: TextData = field(default_factory=TextData)
    model: LanguageConfig = field(default_factory=LanguageConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    vectors_sha256: str | None = None  # what the file of `model.vectors` held


@dataclass(frozen=True)
class ProblemTask:
    """One of the problems whose examples are made on the fly.

    `net`: recurrent is trained; static is the feed-forward net beside it, trained on the same examples; by hand is a
    recurrent net whose weights are known. `static`: whether one is trained beside this one.
    """

    problem: Problem
    model: ModelConfig = field(default_factory=ModelConfig)
    training: SizedTraining = field(default_factory=SizedTraining)
    net: Literal["recurrent", "static", "by hand"] = "recurrent"
    static: bool = False

    def __post_init__(self) -> None:
        if self.model.init == "auto" and self.model.longest is None:  # what is to be remembered says how long
            object.__setattr__(self, "model", replace(self.model, longest=max(3, self.problem.span)))
        if self.training.curriculum == "steps" and self.training.grow_over is None:  # whatever budget comes later
            grown = replace(self.training, grow_over=self.training.growing_steps)
            object.__setattr__(self, "training", grown)


def settings_of(task: Any) -> dict[str, Any]:
    """The settings in JSON's types; paths become absolute."""
    return _plain(dataclasses.asdict(task))


def task_from(settings: dict[str, Any], where: Path) -> TextTask:
    """The task that `settings_of` wrote. A key that is unknown or of the wrong kind is an `InputError`."""
    return _build(TextTask, settings, where)


def problem_task_from(name: str, settings: dict[str, Any], where: Path) -> ProblemTask:
    """The task of the problem called `name` that `settings_of` wrote; errors as `task_from`."""
    return _build(ProblemTask, settings, where, problem=type(PRESETS[name].problem))


def name_of(task: Any) -> str:
    """The task of these settings as the command line names it."""
    if isinstance(task, TextTask):
        return "text"
    return task.problem.name if isinstance(task, ProblemTask) else task.name


def task_of_settings(kind: Any, settings: dict[str, Any], where: Path) -> Any:
    """The task of that kind, a frozen dataclass, that `settings_of` wrote; errors as `task_from`."""
    return _build(kind, settings, where)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value.absolute()) if isinstance(value, Path) else value


def _build(kind: Any, settings: Any, where: Path, **narrower: type) -> Any:
    """A `kind` from its settings. `narrower` names fields that hold a subclass of what they are annotated with."""
    if not isinstance(settings, dict):
        raise InputError(f"{where}: damaged (settings are {settings!r}); restore it or train again")
    kinds = {
        name: hint for name, hint in typing.get_type_hints(kind).items() if typing.get_origin(hint) is not ClassVar
    }
    kinds |= narrower
    unknown = sorted(settings.keys() - kinds.keys())
    if unknown:
        raise InputError(f"{where}: unknown setting {unknown[0]!r}; expected one of {', '.join(kinds)}")
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if dataclasses.is_dataclass(kinds[name]):
            values[name] = _build(kinds[name], value, where)
        elif not _fits(value, kinds[name]):
            raise InputError(f"{where}: {name} is {value!r}, which it cannot be; restore it or train again")
        else:
            values[name] = _converted(value, kinds[name])
    try:
        return kind(**values)
    except (TypeError, InputError) as error:
        raise InputError(f"{where}: a setting cannot be used ({error}); restore it or train again") from None


def _converted(value: Any, kind: Any) -> Any:
    """A value read from JSON, which has neither tuples nor paths."""
    choices = typing.get_args(kind)
    if isinstance(value, list):
        return tuple(_converted(item, choices[0] if choices else None) for item in value)
    return Path(value) if isinstance(value, str) and (kind is Path or Path in choices) else value


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value read from JSON is of the kind that a field is annotated with."""
    origin, choices = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in choices)
    if origin is tuple:
        return isinstance(value, list) and all(_fits(item, choices[0]) for item in value)
    if choices:  # a union
        return any(_fits(value, choice) for choice in choices)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, {float: int | float, Path: str}.get(kind, kind))
