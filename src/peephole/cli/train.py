"""`peephole train [text] [FILES…]`."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from peephole.cli.parsing import emit, parse, unescape
from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.train.config import TrainingConfig

TASKS = ("text",)
DESCRIPTION = (
    "Train a language model on text. FILES are text files or folders; without any, the source of the running Python's "
    "own standard library. The run folder holds everything that the other commands need, and a run that was stopped, "
    "killed included, goes on with --resume."
)


@dataclass(frozen=True)
class Output:
    """Where the run goes."""

    # Run folder to make. Default: runs/ and the first free number, so that nothing is overwritten.
    out: Path | None = None

    # Go on with this run instead, with the settings it began with; only a budget (--steps, --epochs, --minutes) may
    # be given with it, to train longer.
    resume: Path | None = None


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


def run(words: list[str]) -> int:
    """Parse, train, and say how to go on."""
    if words and words[0] in TASKS:
        words = words[1:]
    options = parse(TrainText, "train", words, DESCRIPTION)
    from peephole.cli.progress import Progress
    from peephole.runs.folder import Run, process_rank
    from peephole.tasks.config import TextTask
    from peephole.tasks.text import TextModel
    from peephole.train.contract import Interrupted

    changes: dict[str, object] = {}
    if options.output.resume is not None:
        changes = _budget_only(options, words)
        model = TextModel.resume(Run.open(options.output.resume))
    else:
        data = TextData(**{**vars(options.data), "separator": unescape(options.data.separator)})
        if options.output.out is None and (options.training.devices > 1 or process_rank()):
            raise InputError("several processes share one run; say where it goes with --out")
        out = options.output.out or _free_folder(Path("runs"))
        model = TextModel.create(TextTask(data, options.model, options.training), out)
    folder = _short(model.run.folder)
    progress = Progress(model, sys.stderr)
    code, said = 0, f"{folder}: done. Next: peephole eval {folder}    peephole sample {folder}"
    try:
        model.fit(progress, **changes)
    except Interrupted as stopped:
        code, said = 130, f"stopped after step {stopped.step:,}, everything is saved; go on with: "
        said += f"peephole train --resume {folder}"
    except KeyboardInterrupt:  # before the first step, or asked twice
        code, said = 130, f"interrupted; go on with: peephole train --resume {folder}"
    finally:
        progress.close()
    if process_rank() == 0:
        emit(said + "\n")
    return code


def _budget_only(options: TrainText, words: list[str]) -> dict[str, object]:
    """The budget given beside --resume. `InputError` for any other setting: it would not be the same run."""
    budgets = ("steps", "epochs", "minutes")
    if options.data.files:
        raise InputError("--resume goes on with the text of the run; leave FILES away, or begin a new run")
    for flag in (word.split("=")[0].replace("_", "-") for word in words if word.startswith("--")):
        if flag.removeprefix("--") not in ("resume", *budgets):
            raise InputError(f"--resume keeps the settings of the run; leave {flag} away, or begin a new run")
    values = {name: getattr(options.training, name) for name in budgets}
    return {name: value for name, value in values.items() if value is not None}


def _free_folder(parent: Path) -> Path:
    number = 1
    while (parent / f"{number:03d}").exists():
        number += 1
    return parent / f"{number:03d}"


def _short(folder: Path) -> Path:
    """The folder as one would type it from here."""
    try:
        return folder.relative_to(Path.cwd())
    except ValueError:
        return folder
