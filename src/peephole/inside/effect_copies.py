"""Many interventions in one call of a net: the rows of the batch once for each, every copy changed in its own way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from peephole.inside.intervention_change import Changing, Piece
from peephole.inside.intervention_target import Net, Target
from peephole.inside.intervention_value import Side
from peephole.nn.recurrent import Recurrent
from peephole.ops.tracing import Record
from peephole.ops.tracing.beside import Change

NUMBERS_TOGETHER = 1 << 24  # of the states of all copies, over all steps: what a call may keep at once


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a net as it was made, to be made again with its rows several times over."""

    net: Net
    given: dict[str, Any]

    @classmethod
    def of(cls, net: Net, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "Call | None":
        """None where rows cannot be repeated: those of a `PackedSequence` lie between each other."""
        given = dict(signature(Recurrent.forward).bind(net, *args, **kwargs).arguments)
        del given["self"]
        return None if isinstance(given["input"], PackedSequence) else cls(net, given)

    @property
    def batched(self) -> bool:
        """Whether there is an axis of rows."""
        return self.given["input"].dim() == (3 if self.given.get("embedding") is None else 2)

    @property
    def axis(self) -> int:
        """Where the rows are, or would be."""
        return 0 if self.net.batch_first else 1

    def repeated(self, count: int) -> dict[str, Any]:
        """The arguments with all rows `count` times."""
        given = dict(self.given)
        for name in ("input", "resets"):
            if given.get(name) is not None:
                given[name] = self._repeat(given[name], count, self.axis)
        if given.get("lengths") is not None:
            given["lengths"] = torch.as_tensor(given["lengths"]).reshape(-1).repeat(count)
        states = given.get("hx")
        if states is not None:
            one = isinstance(states, Tensor)
            states = [self._repeat(state, count, 1) for state in ((states,) if one else states)]
            given["hx"] = states[0] if one else tuple(states)
        return given

    def part(self, result: tuple[Tensor, Any], number: int, count: int) -> tuple[Tensor, Any]:
        """What the call would have given with the rows of one copy alone, in the memory layout that it has."""
        output, finals = result
        rows = output.shape[self.axis] // count
        output = output.narrow(self.axis, number * rows, rows).movedim(self.axis, 1).contiguous().movedim(1, self.axis)
        parts = [
            state.narrow(1, number * rows, rows).contiguous()
            for state in ((finals,) if isinstance(finals, Tensor) else finals)
        ]
        if not self.batched:
            output, parts = output.squeeze(self.axis), [state.squeeze(1) for state in parts]
        return output, (parts[0] if isinstance(finals, Tensor) else tuple(parts))

    def _repeat(self, tensor: Tensor, count: int, axis: int) -> Tensor:
        return torch.cat([tensor if self.batched else tensor.unsqueeze(axis)] * count, dim=axis)


class Copies:
    """The `Inside` of such a call: copy k of the rows is changed by the k-th of `changing`.

    The layers of all `targets` run by the equations, as they do without any change.
    """

    def __init__(self, changing: Sequence[Changing], targets: Sequence[Target]) -> None:
        self.changing, self.targets = changing, targets

    def begin(self, net: Recurrent, steps: int, batch: int, lengths: Tensor | None) -> None:
        for one in self.changing:
            one.begin(net, steps, batch // len(self.changing), lengths)
        self.constant = all(one.constant for one in self.changing)
        self.joint: dict[tuple[Side, str, bool], Piece | None] = {}

    def record(self, net: Recurrent, layer: int, reverse: bool) -> Record | None:
        return None

    def change(self, net: Recurrent, layer: int, reverse: bool) -> Change | None:
        if not any(target.meets(layer, reverse) for target in self.targets):
            return None
        names = {one.target.name for one in self.changing if one.target.meets(layer, reverse)}

        def change(t: int, name: str, value: Tensor) -> Tensor:
            if name not in names:
                return value
            copies = value.unflatten(0, (len(self.changing), -1))  # [K, B, U]
            for multiplies in (False, True):
                piece = self._joint((layer, reverse), name, multiplies, t, copies)
                if piece is not None:
                    where, new = piece
                    copies = torch.where(where, copies * new if multiplies else new, copies)
            return copies.flatten(0, 1)

        return change

    def _joint(self, side: Side, name: str, multiplies: bool, t: int, copies: Tensor) -> Piece | None:
        """What changes at a step in all copies, `[K, B or 1, U]`; kept where every step changes alike."""
        key = side, name, multiplies
        if self.constant and key in self.joint:
            return self.joint[key]
        found: dict[int, Piece] = {}
        for number, one in enumerate(self.changing):
            if one.target.name == name and one.multiplies == multiplies and one.target.meets(*side):
                piece = one.at(side, t, copies)
                if piece is not None:
                    found[number] = piece
        joint = None
        if found:
            rows = max(len(tensor) for piece in found.values() for tensor in piece)
            new = copies.new_zeros(len(self.changing), rows, copies.shape[-1])
            where = torch.zeros_like(new, dtype=torch.bool)
            for number, piece in found.items():
                where[number], new[number] = piece
            joint = where, new
        if self.constant:
            self.joint[key] = joint
        return joint


def together(call: Call, steps: int, batch: int) -> int:
    """How many copies go into one call."""
    wide = call.net.hidden_size * (2 if call.net.bidirectional else 1)
    return max(1, NUMBERS_TOGETHER // max(1, steps * batch * wide))


class Heard:
    """A forward that remembers what it was called with."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.forward, self.calls = forward, list[tuple[tuple[Any, ...], dict[str, Any]]]()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((args, kwargs))
        return self.forward(*args, **kwargs)
