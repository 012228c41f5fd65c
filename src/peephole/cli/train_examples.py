"""`peephole train tagging|classification|…|captioning FILES…`: a net on sequences of one's own."""

from dataclasses import dataclass, field, make_dataclass, replace
from typing import TYPE_CHECKING, Any

from peephole.cli.parsing import bare, emit, first_paragraph, parse, with_files
from peephole.cli.scores_out import table_of
from peephole.cli.start import as_wide_as_vectors
from peephole.cli.train_out import Output, budget_alone, carry_out, folder_for, short, write_report
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.tasks.examples.model import ExamplesModel

DESCRIPTION = (
    "{about} The run folder holds everything that eval, predict, report and doctor need; a run that was stopped, "
    "killed included, goes on with --resume."
)


@dataclass(frozen=True)
class Beside:
    """What it is compared with."""

    # Train an mlp beside the net too, the lecture's one-to-one net with the same input layer and head and no
    # recurrence, and name what the field's naive methods reach.
    baseline: bool = False


def run(task: str, words: list[str]) -> int:
    """Parse, prepare the data, train, and say what came out."""
    from peephole.tasks import data_task

    kind = data_task(task)
    options = parse(
        _options(task, kind, words), f"train {task}", words, DESCRIPTION.format(about=first_paragraph(kind))
    )
    if options.output.resume is not None:
        from peephole.runs.folder import Run

        if options.data.files:
            raise InputError("--resume goes on with the data of the run; leave FILES away, or begin a new run")
        changes = budget_alone(options.training, words)
        return _train(kind.resume(Run.open(options.output.resume)), changes, options.output.report)
    data = bare(options.data, kind.defaults().data)
    baseline = {"baseline": options.beside.baseline} if kind.has_mlp else {}
    given = kind.settings(data=data, model=options.model, training=options.training, **baseline)
    folder = folder_for(options.output, options.training.devices)
    try:
        model = kind.create(given, folder)
    except KeyboardInterrupt:
        if not (folder / "config.json").is_file():
            raise
        emit(f"interrupted while the data was prepared; go on with: peephole train --resume {short(folder)}\n")
        return 130
    return _train(model, {}, options.output.report)


def _train(model: "ExamplesModel", changes: dict[str, Any], report: bool) -> int:
    """The recurrent net, then the mlp, then what came of them."""
    from peephole.runs.folder import process_rank

    reported = model if report else None
    code = carry_out(model, changes, reported)
    mlp = None if code else model.mlp()
    if mlp is not None:
        code = carry_out(mlp, changes, None)
    if code or process_rank():
        return code
    emit(table_of(model.measure()))
    if report:
        write_report(model)
    folder = short(model.run.folder)
    emit(f"{folder}: done. Next: peephole eval {folder}    peephole predict {folder} FILE\n")
    return 0


def _options(task: str, kind: "type[ExamplesModel]", words: list[str]) -> type:
    """The settings of a task as options; a budget among the words takes the place of the usual one."""
    usual = kind.defaults()
    training = usual.training
    flags = {word.split("=")[0] for word in words}
    if flags & {"--resume", *(f"--{name}" for name in training.budgets())}:
        training = replace(training, **dict.fromkeys(training.budgets()), fewest_steps=0)
    data = with_files(usual.data)
    beside = [("beside", Beside, field(default_factory=Beside))] if kind.has_mlp else []
    made = make_dataclass(
        f"Train{task.title()}",
        [
            ("output", Output, field(default_factory=Output)),
            ("data", type(data), field(default=data)),
            *beside,
            ("model", type(usual.model), field(default=usual.model)),
            ("training", type(training), field(default=training)),
        ],
        frozen=True,
    )
    return as_wide_as_vectors(made, words)
