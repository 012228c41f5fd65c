"""`peephole embed tdnn [FILES…]`."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from peephole.cli.parsing import option_among, parse
from peephole.cli.train_out import Output
from peephole.cli.train_text import Text, options_of, train
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.train.config import TrainingConfig

DESCRIPTION = (
    "Vectors of words from a language model without recurrence (Bengio et al. 2003): the past --context words, each "
    "projected by the same table, a tanh layer, a softmax over all words. FILES and options are those of peephole "
    "train text, which trains it as --preset tdnn; eval, sample, next, score, predict, compare and words work on the "
    "run, and one that was stopped goes on with --resume."
)


@dataclass(frozen=True)
class TrainTdnn:
    """Options of `peephole embed tdnn`."""

    output: Output = field(default_factory=Output)
    data: Text = field(default_factory=Text)
    model: LanguageConfig = field(default_factory=LanguageConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


def run(words: list[str]) -> int:
    """Parse, train, and say how to go on."""
    from peephole.tasks.text.presets import preset_named

    preset = preset_named("tdnn")
    if option_among(words, "resume") is not None:  # a run has its own budget
        preset = replace(preset, training=replace(preset.training, minutes=None))
    options: Any = parse(options_of(TrainTdnn, preset, words), "embed tdnn", words, DESCRIPTION)
    if options.output.resume is not None:
        _check(options.output.resume)
    elif options.model.context < 1:
        raise InputError(f"--context is {options.model.context}; expected at least 1 word")
    return train(options, words)


def _check(folder: Path) -> None:
    """`InputError` unless the run to go on with is such a net."""
    from peephole.runs.folder import Run
    from peephole.tasks.text.model import TextModel

    run = Run.open(folder)
    if not TextModel.task_from(run).model.context:
        raise InputError(f"{run.folder}: a recurrent net; go on with peephole train --resume {run.folder}")
