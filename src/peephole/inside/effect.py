"""What interventions do to a divergence: the same batch without them and with them."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Literal

import torch
from torch import nn

from peephole.errors import InputError
from peephole.inside.effect_copies import Call, Copies, Heard, together
from peephole.inside.effect_ranking import Effects
from peephole.inside.effect_result import Effect
from peephole.inside.effect_running import Divergence, Measured, evaluating, measure, run
from peephole.inside.intervention import Intervention
from peephole.inside.intervention_change import Unchanged
from peephole.inside.intervention_forward import forward_replaced, reached
from peephole.inside.nets import looked_into, recurrent_nets


def effect(
    model: nn.Module,
    batch: Any,
    divergence: Divergence,
    intervention: Intervention | Sequence[Intervention],
) -> Effect:
    """The divergence of `model` on `batch` without and with an intervention, or with several at once.

        peephole.effect(model, x, divergence, peephole.clamp(model, layer=1, gate="f", value=1.0)).verdict

    `batch` is what the model is called with: a tensor, a tuple of arguments or a mapping of keywords.
    `divergence(output)`, of what the model returns (the first, where it returns output and states), is a number, or
    `[T, B]`, one for each step and row, which are summed; then the difference is told by step and row too. Both runs
    are in evaluation mode and by the equations in the layers that are reached, so that what changes nothing makes a
    difference of exactly zero.

    Raises:
        InputError: the intervention is on another model; the model does not take the batch, or does not run the net
            that is changed; the divergence is not such a tensor, or not finite as the net is.
    """
    changes = (intervention,) if isinstance(intervention, Intervention) else tuple(intervention)
    _check(model, divergence, changes)
    with _Comparison(model, batch, divergence, changes) as comparison, ExitStack() as stack:
        for change in changes:
            stack.enter_context(change)
        return Effect(" and ".join(change.text for change in changes), comparison.before, comparison.again())


def effects(
    model: nn.Module,
    batch: Any,
    divergence: Divergence,
    interventions: Intervention | Sequence[Intervention],
    by: Literal["unit", "layer", "step"] | None = None,
) -> Effects:
    """The effect of each of many interventions, ranked: what matters?

        peephole.effects(model, x, divergence, peephole.ablate(model, layer=0)).verdict     # which unit?

    One intervention is taken apart `by` unit (of each layer; so unless said otherwise), layer or step; several are
    compared as they are, or each is taken apart. Other arguments as `effect`'s. Where the model calls its recurrent net
    once, that net runs for many interventions in one call, the rows once for each, and what comes before and after it
    once for each: the numbers are those of `effect`, up to the rounding of products of another size.
    """
    given = (interventions,) if isinstance(interventions, Intervention) else tuple(interventions)
    if isinstance(interventions, Intervention) and by is None:
        by = "unit"
    if by not in (None, "unit", "layer", "step"):
        raise InputError(f"by is {by!r}; expected unit, layer or step")
    _check(model, divergence, given)
    with _Comparison(model, batch, divergence, given) as comparison:
        if by == "step" and comparison.shape is None:
            raise InputError(
                f"by is 'step', and {type(model).__name__} calls its net {len(comparison.calls)} times for one batch; "
                "expected one call for a whole sequence"
            )
        steps = comparison.shape[0] if comparison.shape else 0
        each = given if by is None else tuple(part for one in given for part in one.each(by, steps))
        after = comparison.of_copies(each)
        if after is None:
            after = [comparison.with_one(one) for one in each]
    return Effects(tuple(Effect(one.text, comparison.before, found) for one, found in zip(each, after, strict=True)))


def _check(model: nn.Module, divergence: Any, changes: Sequence[Intervention]) -> None:
    recurrent_nets(model)
    if not callable(divergence):
        raise InputError(f"the divergence is a {type(divergence).__name__}; expected a function of the model's output")
    if not changes:
        raise InputError("got no intervention; expected one at least, as peephole.ablate(model) makes")
    for change in changes:
        if not isinstance(change, Intervention):
            raise InputError(f"got a {type(change).__name__}; expected interventions, as peephole.ablate(model) makes")
        if not any(part is change.target.net for part in model.modules()):
            raise InputError(f"{change!r} is on another model than the {type(model).__name__} that was given")


class _Comparison:
    """A model on a batch: as it is (`before`), and with interventions; nothing of either stays when it ends."""

    def __init__(self, model: nn.Module, batch: Any, divergence: Divergence, changes: Sequence[Intervention]) -> None:
        self.model, self.batch, self.divergence, self.changes = model, batch, divergence, changes
        self.nets = list({id(change.target.net): change.target.net for change in changes}.values())

    def __enter__(self) -> "_Comparison":
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(evaluating(self.model))
            self.recurrent = [stack.enter_context(reached(net)) for net in self.nets]
            self.alone = not any(recurrent._inside for recurrent in self.recurrent)
            self._run_as_it_is()
            self._open = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def _run_as_it_is(self) -> None:
        heard = [Heard(net.forward) for net in self.nets]
        shapes: list[tuple[int, int]] = []
        with ExitStack() as stack:
            for net, recurrent, hears in zip(self.nets, self.recurrent, heard, strict=True):
                changes = [change for change in self.changes if change.target.net is net]
                unchanged = Unchanged([change.target for change in changes], [change.changing for change in changes])
                stack.enter_context(forward_replaced(net, hears))
                stack.enter_context(looked_into(recurrent, unchanged))
                unchanged.shapes = shapes
            output = run(self.model, self.batch)
        if not all(hears.calls for hears in heard):
            raise InputError(f"{type(self.model).__name__} does not run the net that the intervention is on")
        self.calls = heard[0].calls
        self.shape = shapes[0] if len(shapes) == 1 else None
        self.before = measure(self.divergence, output, self.shape)
        if not torch.isfinite(torch.tensor(self.before.total)):
            raise InputError(
                f"the divergence is {self.before.total} without any intervention; look at its targets and the batch"
            )

    def again(self) -> Measured:
        """The divergence of one more run, with whatever holds at the moment."""
        return measure(self.divergence, run(self.model, self.batch), self.shape)

    def with_one(self, change: Intervention) -> Measured:
        """With one intervention; the other layers that are compared run by the equations too."""
        with ExitStack() as stack:
            for net, recurrent in zip(self.nets, self.recurrent, strict=True):
                targets = [other.target for other in self.changes if other.target.net is net]
                stack.enter_context(looked_into(recurrent, Unchanged(targets)))
            stack.enter_context(change)
            return self.again()

    def of_copies(self, changes: Sequence[Intervention]) -> list[Measured] | None:
        """With each by itself, many in one call of the net; None where that is not possible."""
        call = Call.of(self.nets[0], *self.calls[0])
        if len(self.nets) > 1 or len(self.calls) > 1 or call is None or self.shape is None or not self.alone:
            return None
        net, recurrent, found = self.nets[0], self.recurrent[0], list[Measured]()
        targets, forward = [change.target for change in self.changes], net.forward
        count = together(call, *self.shape)
        for start in range(0, len(changes), count):
            part = changes[start : start + count]
            with looked_into(recurrent, Copies([change.changing for change in part], targets)):
                result = forward(**call.repeated(len(part)))
            for number in range(len(part)):
                given = call.part(result, number, len(part))
                with forward_replaced(net, lambda *args, given=given, **kwargs: given):
                    found.append(self.again())
        return found
