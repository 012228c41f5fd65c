"""What an intervention reaches: which numbers of which layers and directions, and which of their steps, rows, units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.inside.nets import recurrent_nets
from peephole.inside.selection import Which, chosen
from peephole.nn.recurrent import Recurrent
from peephole.spec import BUILT_IN, FAMILIES, CellSpec

Net = Recurrent | nn.RNN | nn.LSTM | nn.GRU

_REMOVED = {"i": "input_gate", "f": "forget_gate", "o": "output_gate"}  # the switches that leave a gate at 1


@dataclass(frozen=True, eq=False)
class Target:
    """`name` as `reference.passing` calls it, in `layers` of `net` and directions (`sides`, true is the reverse).

    `size` is how many units it has; `units` those that are meant, in the order in which values come, None for all;
    `steps` and `rows` are known at the call only.
    """

    net: Net
    spec: CellSpec
    name: str
    size: int
    layers: tuple[int, ...]
    sides: tuple[bool, ...]
    units: tuple[int, ...] | None
    steps: Which
    rows: Which

    def meets(self, layer: int, reverse: bool) -> bool:
        """Whether this layer and direction is meant."""
        return layer in self.layers and reverse in self.sides

    @property
    def chosen_units(self) -> Sequence[int]:
        """The units that are meant."""
        return range(self.size) if self.units is None else self.units

    @property
    def text(self) -> str:
        """As people say it: `f of unit 3 in layer 1 at step 5`."""
        units = "" if self.units is None else f" of {_several('unit', self.units)}"
        one_of_two = self.net.bidirectional and len(self.sides) == 1
        sides = (" reverse" if self.sides[0] else " forward") if one_of_two else ""
        steps = "" if self.steps is None else f" at {_several('step', self.steps)}"
        rows = "" if self.rows is None else f" of {_several('row', self.rows)}"
        return f"{self.name}{units} in {_several('layer', self.layers)}{sides}{steps}{rows}"


def find_target(
    model: nn.Module,
    layer: Which,
    reverse: bool | None,
    gate: str | None,
    state: str | None,
    preactivation: str | None,
    units: Which,
    steps: Which,
    rows: Which,
    or_output: bool = False,
) -> Target:
    """What the arguments of an intervention name. `InputError` where the net lacks it, or they name too much or little.

    With `or_output` no name at all means the output state. Steps and rows are checked at the call, which alone knows
    how many there are.
    """
    nets = recurrent_nets(model)
    if len(nets) > 1:
        raise InputError(
            f"{type(model).__name__} has {len(nets)} recurrent nets ({', '.join(name for name, _ in nets)}); give the "
            f"one that is meant in place of the model, as model.{nets[0][0]}"
        )
    net = nets[0][1]
    spec = spec_of_net(net)
    if or_output and gate is None and state is None and preactivation is None:
        state = FAMILIES[spec.family].states[0]
    name = _name_of(spec, gate, state, preactivation)
    size = net.proj_size if name == "h" and spec.projected else net.hidden_size
    layers = places("layers", layer, net.num_layers)
    if reverse is not None and not isinstance(reverse, bool):
        raise InputError(f"reverse is {reverse!r}; expected True, False, or None for both directions")
    if reverse and not net.bidirectional:
        raise InputError("reverse is True; this net has one direction, set reverse=None")
    both = (False, True) if net.bidirectional else (False,)
    return Target(
        net,
        spec,
        name,
        size,
        tuple(range(net.num_layers)) if layers is None else layers,
        both if reverse is None else (reverse,),
        places("units", units, size),
        _plain("steps", steps),
        _plain("rows", rows),
    )


def spec_of_net(net: Net) -> CellSpec:
    """The cell of a net of peephole's or `torch.nn`'s."""
    if isinstance(net, Recurrent):
        return net.spec
    if isinstance(net, nn.LSTM):
        return CellSpec("lstm", bias=net.bias, projected=bool(net.proj_size))
    if isinstance(net, nn.GRU):
        return CellSpec("gru", bias=net.bias)
    return CellSpec("rnn", bias=net.bias, nonlinearity="relu" if net.nonlinearity == "relu" else "tanh")


def places(what: str, which: Which, size: int) -> tuple[int, ...] | None:
    """Indices among `size` in the order in which they are given, None for all; `InputError` as `chosen` raises it."""
    which = _plain(what, which)
    checked = chosen(what, which, size)
    if checked is None or which is None:
        return None
    if isinstance(which, slice):  # which may go backwards
        return tuple(range(size)[which])
    given = [which] if isinstance(which, int) else [int(one) for one in which]
    found = tuple(one % size for one in given)
    if len(found) != len(checked):
        twice = next(one for number, one in enumerate(found) if one in found[:number])
        raise InputError(f"{what} name {twice} twice; expected different ones")
    return found


def _plain(what: str, which: Any) -> Any:
    """Python's own numbers, where they are numpy's or torch's."""
    if isinstance(which, Tensor) and (which.is_floating_point() or which.dtype == torch.bool):
        return which  # which `chosen` refuses
    if hasattr(which, "tolist"):
        which = which.tolist()
    if (which is not None and not isinstance(which, int | slice | Sequence | Tensor)) or isinstance(which, str):
        raise InputError(f"{what} are {which!r}; expected a whole number, several, a slice, or None for all")
    return which


def _name_of(spec: CellSpec, gate: str | None, state: str | None, preactivation: str | None) -> str:
    named = {"gate": gate, "state": state, "preactivation": preactivation}
    given = {kind: name for kind, name in named.items() if name is not None}
    if len(given) != 1:
        got = " and ".join(f"{kind}={name!r}" for kind, name in given.items()) or "none of them"
        raise InputError(f"expected one of gate, state and preactivation; got {got}")
    ((kind, name),) = given.items()
    if kind == "gate":
        if name not in _gates(spec):
            raise InputError(_lacking_gate(spec, name))
        return name
    if kind == "state":
        states = FAMILIES[spec.family].states
        if name not in states:
            raise InputError(f"a {spec.code} has no state {name!r} that can be changed; it has {', '.join(states)}")
        return name
    if name not in spec.gates:
        raise InputError(f"a {spec.code} has no pre-activation of {name!r}; it has {', '.join(spec.gates)}")
    return f"z_{name}"


def _gates(spec: CellSpec) -> tuple[str, ...]:
    """Those that are seen after their activation; a cell of one's own shows none."""
    return spec.gates if spec.family in ("lstm", "gru") else ()


def _lacking_gate(spec: CellSpec, gate: str) -> str:
    if spec.coupled and gate == "f":
        return "the forget gate of this lstm is 1 − i (coupled=True), no gate of its own; change gate='i' in its place"
    here = f"it has {', '.join(_gates(spec))}"
    if spec.family == "lstm" and gate in _REMOVED and not getattr(spec, _REMOVED[gate]):
        return f"gate {gate!r} of this lstm is 1 ({_REMOVED[gate]}=False); {here}"
    if spec.family == "gru" and gate == "r":
        return f"this gru has no gate 'r' (reset='none'); {here}"
    if not _gates(spec):
        kind = "an rnn has no gates" if spec.family in BUILT_IN else f"the cell {spec.family!r} shows no gates"
        return f"gate is {gate!r}; {kind}, change state={FAMILIES[spec.family].states[0]!r}"
    return f"a {spec.code} has no gate {gate!r}; {here}"


def _several(what: str, which: Any) -> str:
    """`step 3`, `steps 3 to 9`, `steps 1, 4, 7, … (12 of them)`."""
    if isinstance(which, slice):
        return f"{what}s {'' if which.start is None else which.start}:{'' if which.stop is None else which.stop}" + (
            f":{which.step}" if which.step is not None else ""
        )
    numbers = [which] if isinstance(which, int) else list(which)
    if len(numbers) == 1:
        return f"{what} {numbers[0]}"
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"{what}s {numbers[0]} to {numbers[-1]}"
    shown = ", ".join(map(str, numbers[:3]))
    return f"{what}s {shown}" + (f", … ({len(numbers)} of them)" if len(numbers) > 3 else "")
