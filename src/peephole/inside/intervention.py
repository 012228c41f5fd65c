"""Interventions: while a block runs, a net goes on with other gates, states or pre-activations than it made.

The steps then run by the equations, differentiably, in the layers that are reached; the others as they always do.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor, nn

from peephole.errors import InputError
from peephole.inside.intervention_change import Changing
from peephole.inside.intervention_forward import reached
from peephole.inside.intervention_target import Target, find_target, places
from peephole.inside.intervention_value import Value, given_value, value_of_run
from peephole.inside.nets import looked_into
from peephole.inside.selection import Which
from peephole.inside.traced import TracedLayer

if TYPE_CHECKING:
    from peephole.inside.effect import Effect

Number = int | float | Tensor


@dataclass(frozen=True, eq=False)
class Intervention:
    """What `clamp`, `scale`, `ablate` and `swap` make: a block within which it holds, as often as wanted.

    `effect` says what difference it makes; `each` takes it apart.
    """

    model: nn.Module
    kind: Literal["clamp", "scale", "ablate", "swap"]
    target: Target
    value: Value
    _open: list[ExitStack] = field(default_factory=list, init=False, repr=False)

    @property
    def text(self) -> str:
        """In a few words: `f in layer 1 held at 1`, `h of unit 3 in layer 0 at zero`."""
        said = {
            "clamp": f"held at {self.value.text}",
            "scale": f"times {self.value.text}",
            "ablate": "at zero",
            "swap": f"from {self.value.text}",
        }
        return f"{self.target.text} {said[self.kind]}"

    def __repr__(self) -> str:
        return f"{self.kind}({self.text})"

    @property
    def changing(self) -> Changing:
        """A new one that takes a hand in calls."""
        return Changing(self.target, self.value, multiplies=self.kind == "scale")

    def __enter__(self) -> "Intervention":
        with ExitStack() as stack:
            recurrent = stack.enter_context(reached(self.target.net))
            stack.enter_context(looked_into(recurrent, self.changing))
            self._open.append(stack.pop_all())
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.pop().close()

    def effect(self, batch: Any, divergence: Callable[[Any], Any]) -> "Effect":
        """What it does to the divergence of the model on `batch`, as `peephole.effect` measures it."""
        from peephole.inside.effect import effect

        return effect(self.model, batch, divergence, self)

    def each(self, by: Literal["unit", "layer", "step"] = "unit", steps: int = 0) -> tuple["Intervention", ...]:
        """The same for each unit of each layer, each layer, or each of T = `steps` steps by itself."""
        if by == "layer":
            parts = [replace(self.target, layers=(layer,)) for layer in self.target.layers]
            return tuple(replace(self, target=part) for part in parts)
        if by == "unit":
            found = [
                (replace(self.target, layers=(layer,), units=(unit,)), self.value.part(2, number))
                for layer in self.target.layers
                for number, unit in enumerate(self.target.chosen_units)
            ]
        elif by == "step":
            if steps < 1:
                raise InputError(f"steps is {steps}; expected T, how many steps the sequence has")
            chosen = places("steps", self.target.steps, steps)
            found = [
                (replace(self.target, steps=(t,)), self.value.part(0, number))
                for number, t in enumerate(range(steps) if chosen is None else chosen)
            ]
        else:
            raise InputError(f"by is {by!r}; expected unit, layer or step")
        return tuple(replace(self, target=target, value=value) for target, value in found)


def clamp(
    model: nn.Module,
    *,
    value: Number,
    layer: Which = None,
    gate: str | None = None,
    state: str | None = None,
    preactivation: str | None = None,
    units: Which = None,
    steps: Which = None,
    rows: Which = None,
    reverse: bool | None = None,
) -> Intervention:
    """Hold a gate, a state or a pre-activation at `value` in all that runs within the block.

        with peephole.clamp(model, layer=1, gate="f", value=1.0):
            output, _ = model(x)      # layer 1 forgets nothing

    One of `gate` (`i f g o`, `r z n`: after the activation, candidates included), `state` (`h`, `c`; of what is put in
    place of c the same step's h is made) and `preactivation` (named as its gate; an RNN's is `h`). `layer`, `units`,
    `steps` and `rows`: one, several, a slice, or None for all; `reverse` says which direction, None for both. t is the
    time also in the reverse direction. `value` is a number or a tensor that broadcasts to `[steps, rows, units]` of
    those chosen, in the order in which they are named; gradients flow into it and through all that is left.

    The layers that are reached run by the equations, with noise, lengths and resets as always, in training and
    evaluation; `torch.nn` modules run by the equations whole. Blocks nest, the outer first, also with `trace`, which
    then shows what the net went on with. A model with several recurrent nets: give the one that is meant. Streams step
    over a packed copy of the weights, which hears nothing of it.

    Raises:
        InputError: the net lacks what is named, or went through torch.compile. At the call: it has no such step or row;
            the value does not fit.
    """
    target = find_target(model, layer, reverse, gate, state, preactivation, units, steps, rows)
    return Intervention(model, "clamp", target, given_value(value, "value", target))


def scale(
    model: nn.Module,
    *,
    factor: Number,
    layer: Which = None,
    gate: str | None = None,
    state: str | None = None,
    preactivation: str | None = None,
    units: Which = None,
    steps: Which = None,
    rows: Which = None,
    reverse: bool | None = None,
) -> Intervention:
    """Multiply a gate, a state or a pre-activation by `factor` at every step; arguments as `clamp`'s."""
    target = find_target(model, layer, reverse, gate, state, preactivation, units, steps, rows)
    return Intervention(model, "scale", target, given_value(factor, "factor", target))


def ablate(
    model: nn.Module,
    *,
    layer: Which = None,
    gate: str | None = None,
    state: str | None = None,
    preactivation: str | None = None,
    units: Which = None,
    steps: Which = None,
    rows: Which = None,
    reverse: bool | None = None,
) -> Intervention:
    """Hold the output state h of the chosen units at zero, or what else is named; arguments as `clamp`'s.

    Neither what comes after nor the unit itself hears of it: its h is zero, its c (an LSTM's) goes on.
    """
    target = find_target(model, layer, reverse, gate, state, preactivation, units, steps, rows, or_output=True)
    return Intervention(model, "ablate", target, given_value(0.0, "value", target))


def swap(
    model: nn.Module,
    *,
    source: Any = None,
    value: Number | None = None,
    layer: Which = None,
    gate: str | None = None,
    state: str | None = None,
    preactivation: str | None = None,
    units: Which = None,
    steps: Which = None,
    rows: Which = None,
    reverse: bool | None = None,
) -> Intervention:
    """Put another run's values in place: activation patching (Vig et al. 2020; Geiger et al. 2021) of a recurrent net.

        with peephole.trace(model) as seen:
            model(other)
        with peephole.swap(model, source=seen, state="c", steps=5):
            output, _ = model(x)      # x, with the memory of `other` at step 5

    `source` is what a trace gave, one of its calls, or one of its layers: the values of the same steps, rows and units
    are taken; a run of one row serves all rows. Or `value`, a tensor as `clamp` takes it. Other arguments as `clamp`'s.
    """
    if (source is None) == (value is None):
        raise InputError("expected either source, what a trace gave, or value, a tensor; got both or neither")
    if isinstance(source, TracedLayer) and layer is None:
        layer, reverse = source.layer, source.reverse if reverse is None else reverse
    target = find_target(model, layer, reverse, gate, state, preactivation, units, steps, rows)
    taken = value_of_run(source, target) if value is None else given_value(value, "value", target)
    return Intervention(model, "swap", target, taken)
