"""`peephole train [text] [FILES…]`."""

from dataclasses import dataclass, field, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import tyro

from peephole.cli.parsing import emit, option_among, parse, unescape
from peephole.cli.start import as_wide_as_vectors
from peephole.cli.train_out import Output, budget_alone, carry_out, folder_for, short, write_report
from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.train.config import TrainingConfig

if TYPE_CHECKING:
    from peephole.tasks.text.presets import TextPreset

Options = TypeVar("Options")
RESUMED = "--resume goes on with what the run began with"
DESCRIPTION = (
    "Train a language model on text. FILES are text files or folders; without any, the source of the running Python's "
    "own standard library. The run folder holds everything that the other commands need, and a run that was stopped, "
    "killed included, goes on with --resume. Other tasks: peephole train parity --help, and so on: {problems}."
)


@dataclass(frozen=True)
class Text(TextData):
    # Text files, or folders that are searched for them. Default: the source of the running Python's own library,
    # because every machine has it and one can judge by eye what is written.
    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[FILES ...]")] = ()


@dataclass(frozen=True)
class Recipe:
    """Where the settings begin."""

    # Begin with the settings of a paper, or of ours for a machine; what else is given changes them. One of laptop,
    # tdnn, zaremba-small, zaremba-medium, zaremba-large, awd-lstm-ptb, awd-lstm-wikitext-2, karpathy-characters,
    # karpathy-characters-512, tcn-lstm-ptb-words, tcn-lstm-ptb-characters, tcn-lstm-text8. docs/presets.md has every
    # value with its source.
    preset: str | None = None


@dataclass(frozen=True)
class TrainText:
    """Options of `peephole train text`."""

    recipe: Recipe = field(default_factory=Recipe)
    output: Output = field(default_factory=Output)
    data: Text = field(default_factory=Text)
    model: LanguageConfig = field(default_factory=LanguageConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


def run(words: list[str], problems: tuple[str, ...]) -> int:
    """Parse, train, and say how to go on. `problems` are named in the help."""
    preset = _preset(words)
    kind = options_of(TrainText, preset, words)
    options = parse(kind, "train", words, DESCRIPTION.format(problems=", ".join(problems)))
    if preset is not None:
        if options.output.resume is not None:
            raise InputError(f"{RESUMED}; leave --preset away, or begin a new run")
        preset.check(options.data)
    return train(options, words)


def train(options: Any, words: list[str]) -> int:
    """Train, or go on, as `words`, parsed to options with the groups of `TrainText`, say; and say how to go on."""
    from peephole.tasks.config import TextTask
    from peephole.tasks.text.model import TextModel

    changes: dict[str, object] = {}
    if options.output.resume is not None:
        if options.data.files:
            raise InputError(f"{RESUMED}; leave FILES away, or begin a new run")
        changes = budget_alone(options.training, words)
        from peephole.runs.folder import Run

        model = TextModel.resume(Run.open(options.output.resume))
    else:
        data = TextData(**{**vars(options.data), "separator": unescape(options.data.separator)})
        out = folder_for(options.output, options.training.devices)
        model = TextModel.create(TextTask(data, options.model, options.training), out)
    code = carry_out(model, changes, model if options.output.report else None)
    if not code:
        if options.output.report:
            write_report(model)
        from peephole.runs.folder import process_rank

        folder = short(model.run.folder)
        if process_rank() == 0:
            emit(f"{folder}: done. Next: peephole eval {folder}    peephole sample {folder}\n")
    return code


def _preset(words: list[str]) -> "TextPreset | None":
    """The preset that the words name; `InputError` where there is none of that name."""
    named = option_among(words, "preset")
    if named is None:
        return None
    from peephole.tasks.text.presets import preset_named

    preset = preset_named(named)
    preset.check_tokens(option_among(words, "tokens"))  # before the data of another kind complains about the preset's
    return preset


def options_of(kind: type[Options], preset: "TextPreset | None", words: list[str]) -> type[Options]:
    """The options, with the values of a preset as their defaults; a budget among the words takes the place of its."""
    if preset is None:
        return as_wide_as_vectors(kind, words)
    training = preset.training
    if {word.split("=")[0] for word in words} & {f"--{name}" for name in training.budgets()}:
        training = replace(training, **dict.fromkeys(training.budgets()))
    settings = {"data": Text(**preset.data), "model": preset.model, "training": training}
    fields = [(name, type(value), field(default=value)) for name, value in settings.items()]
    made = make_dataclass(kind.__name__, fields, bases=(kind,), frozen=True)
    made.__module__, made.__doc__ = kind.__module__, kind.__doc__
    return as_wide_as_vectors(made, words)
