"""`peephole train parity|addition|…`: one of the problems whose examples are made on the fly."""

import sys
from dataclasses import dataclass, field, make_dataclass, replace
from typing import TYPE_CHECKING, Any

from peephole.cli.exactness import show
from peephole.cli.parsing import emit, parse
from peephole.cli.train_out import Output, budget_alone, carry_out, folder_for, short, write_report
from peephole.errors import InputError
from peephole.train.curriculum import SizedTraining

if TYPE_CHECKING:
    from peephole.tasks.presets import Preset
    from peephole.tasks.problem import ProblemModel

DESCRIPTION = (
    "{about} Examples are made on the fly, the same for every seed; the defaults are settings that learn it. At the "
    "end: at which sizes the net is exact, beside a static net that was trained on the same examples."
)


@dataclass(frozen=True)
class Nets:
    """Which nets."""

    # Train a static net on the same examples too: an MLP with inputs for the whole sequence at once.
    static: bool = True

    # Set the weights by hand instead of training (parity and addition only; --cell and --nonlinearity say of which
    # net): exact at any length.
    by_hand: bool = False


def run(task: str, words: list[str]) -> int:
    """Parse, say what the gradients can reach, train, and say at which sizes the net is exact."""
    from peephole.tasks.presets import PRESETS

    preset = PRESETS[task]
    options = _parse(preset, words)
    if options.output.resume is not None:
        return _resume(options, words)
    from peephole.runs.folder import process_rank
    from peephole.tasks.config import ProblemTask
    from peephole.tasks.problem import ProblemModel

    net = "by hand" if options.nets.by_hand else "recurrent"
    static = options.nets.static and net == "recurrent"
    given = ProblemTask(options.problem, options.model, options.training, net, static)
    out = folder_for(options.output, options.training.devices)
    model = ProblemModel.create(given, out)
    if net == "by hand":
        return _finish(model, options.output.report)
    if process_rank() == 0 and options.problem.span > 1:  # else the answer is where its cause is
        print(model.outlook().verdict, file=sys.stderr, flush=True)
    return _train(model, {}, options.output.report)


def _resume(options: Any, words: list[str]) -> int:
    from peephole.runs.folder import Run
    from peephole.tasks.problem import ProblemModel

    changes = budget_alone(options.training, words)
    model = ProblemModel.resume(Run.open(options.output.resume))
    if model.task.net == "by hand":
        raise InputError(f"{options.output.resume}: its weights were set by hand, there is nothing to train")
    return _train(model, changes, options.output.report)


def _train(model: "ProblemModel", changes: dict[str, Any], report: bool) -> int:
    """The recurrent net, then the static one, then what came of them."""
    reported = model if report else None
    code = carry_out(model, changes, reported)
    static = None if code else model.static_net()
    if static is not None:
        code = carry_out(static, changes, reported)
    return code or _finish(model, report)


def _finish(model: "ProblemModel", report: bool) -> int:
    from peephole.runs.folder import process_rank

    if process_rank() == 0:
        measured = model.measure()
        show(measured)
        if report:
            write_report(model, measured)
        folder = short(model.run.folder)
        emit(f"{folder}: done. Next: peephole eval {folder}    peephole stability {folder}\n")
    return 0


def _parse(preset: "Preset", words: list[str]) -> Any:
    """The options of a problem, with its preset as defaults; a budget in minutes takes the place of the preset's."""
    training = preset.training
    flags = [word.split("=")[0] for word in words]
    if "--resume" in flags:  # the run has settings of its own
        training = SizedTraining()
    elif "--minutes" in flags:
        training = replace(training, steps=None, grow_over=training.growing_steps)
    kind = make_dataclass(
        f"Train{type(preset.problem).__name__}",
        [
            ("output", Output, field(default_factory=Output)),
            ("problem", type(preset.problem), field(default=preset.problem)),
            ("nets", Nets, field(default_factory=Nets)),
            ("model", type(preset.model), field(default=preset.model)),
            ("training", type(training), field(default=training)),
        ],
        frozen=True,
    )
    about = (type(preset.problem).__doc__ or "").split("\n\n")[0].replace("\n", " ").replace("    ", " ").strip()
    return parse(kind, f"train {preset.problem.name}", words, DESCRIPTION.format(about=about))
