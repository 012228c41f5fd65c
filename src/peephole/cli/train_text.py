"""`peephole train [text] [FILES…]`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from peephole.cli.parsing import emit, parse, unescape
from peephole.cli.train_out import Output, budget_alone, carry_out, folder_for, short, write_report
from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.train.config import TrainingConfig

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
class TrainText:
    """Options of `peephole train text`."""

    output: Output = field(default_factory=Output)
    data: Text = field(default_factory=Text)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


def run(words: list[str], problems: tuple[str, ...]) -> int:
    """Parse, train, and say how to go on. `problems` are named in the help."""
    options = parse(TrainText, "train", words, DESCRIPTION.format(problems=", ".join(problems)))
    from peephole.tasks.config import TextTask
    from peephole.tasks.text.model import TextModel

    changes: dict[str, object] = {}
    if options.output.resume is not None:
        if options.data.files:
            raise InputError("--resume goes on with the text of the run; leave FILES away, or begin a new run")
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
