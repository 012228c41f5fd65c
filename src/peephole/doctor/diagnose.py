"""`diagnose`: why a net does or does not learn, from the net, batches, and whatever else is known of its training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from peephole.doctor.batches import batches_of
from peephole.doctor.case import Case
from peephole.doctor.diagnosis import Diagnosis
from peephole.doctor.examination import Examination
from peephole.doctor.finding import Finding
from peephole.doctor.measuring.level import level_of
from peephole.doctor.ranking import ranked
from peephole.doctor.rules import RULES
from peephole.errors import InputError

LEAST = 0.05  # confidence under which nothing is said


def diagnose(
    model: nn.Module,
    batches: Sequence[Any],
    held_out: Sequence[Any] = (),
    *,
    history: Sequence[Mapping[str, Any]] = (),
    settings: Mapping[str, Any] | None = None,
    start: nn.Module | None = None,
    dependency: int | None = None,
    examples: int | None = None,
    carry: bool = False,
    batch_first: bool = False,
) -> Diagnosis:
    """Why `model`, any module with a recurrent net in it, does not learn from these batches, and what to change.

        peephole.diagnose(model, [(inputs, targets), …], settings={"learning_rate": 1e-3}).verdict

    A batch is `(inputs, targets)`, or with lengths `[B]` or weights `[T, B]` as a third, or a mapping of those names:
    symbols `[T, B]` or features `[T, B, I]`; classes `[T, B]` or values `[T, B, O]`, or one answer a sequence, `[B]` or
    `[B, O]`; with `batch_first` the first two axes the other way round. Give some consecutive batches, as training sees
    them, augmentation and all: 4 to 8 are enough. The model returns outputs, or outputs and states.

    More is found the more is known: `held_out` batches; `settings` of the training by peephole's names
    (`learning_rate`, `optimizer`, `clip_norm`, `window`, …); `history`, rows with `step`, `divergence`,
    `gradient_norm`, `held_out`; `start`, the net as it was before training; `dependency`, steps from what has to be
    remembered to its answer; `examples`, how many targets there are in all; `carry`, whether the state of one batch is
    handed to the next. Neither the model nor its gradients, mode or torch's random state are changed.

    Raises:
        InputError: batches that cannot be read, or that the model does not take.
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"got a {type(model).__name__}; expected a module")
    training = batches_of(batches, batch_first)
    case = Case(
        model=model,
        training=tuple(replace(batch, carry=carry and number > 0) for number, batch in enumerate(training)),
        held_out=batches_of(held_out, batch_first),
        history=tuple(history),
        settings=dict(settings or {}),
        dependency=dependency,
        examples=examples,
        start=start,
        batch_first=batch_first,
    )
    if not case.training:
        raise InputError("got no batches; expected some of those that the model is trained on")
    _check_runs(case)
    return diagnose_case(case)


def diagnose_case(case: Case) -> Diagnosis:
    """The findings of all rules, ranked. A rule that a module makes fail is named in `unfinished`; the others go on."""
    examination = Examination(case)
    found: list[Finding] = []
    failed: list[str] = []
    with torch.random.fork_rng(devices=()):
        for rule in RULES:
            try:
                finding = rule(examination)
            except (InputError, RuntimeError) as error:  # what a module or torch refuses
                failed.append(f"{rule.__name__.replace('_', ' ')} could not be examined ({_reason(error)})")
                continue
            if finding is not None and finding.confidence >= LEAST:
                found.append(finding)
        how_much = level_of(examination)
    return Diagnosis(ranked(found), how_much, (*case.unfinished, *failed))


def _check_runs(case: Case) -> None:
    """`InputError` with the module's own words where it does not take the first batch."""
    try:
        outputs, _ = case.run(case.training[0])
        case.each(outputs, case.training[0])
    except InputError:
        raise
    except Exception as error:
        said = f"does not take the first batch, or its output does not fit the targets: {_reason(error)}"
        raise InputError(f"{type(case.model).__name__} {said}") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
