"""Who looks into a net while it runs, or takes a hand in it: what `Recurrent` and those who do agree on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor

from peephole.errors import InputError
from peephole.ops.tracing import Record
from peephole.ops.tracing.beside import Change

if TYPE_CHECKING:
    from peephole.nn.recurrent import Recurrent


@runtime_checkable
class Inside(Protocol):
    """Hears of every call of a net: `begin`, then of each layer and direction what to fill and what to change."""

    def begin(self, net: "Recurrent", steps: int, batch: int, lengths: Tensor | None) -> None: ...
    def record(self, net: "Recurrent", layer: int, reverse: bool) -> Record | None: ...
    def change(self, net: "Recurrent", layer: int, reverse: bool) -> Change | None: ...


def options_of(
    inside: Sequence[Inside], net: "Recurrent", layer: int, reverse: bool, folded: Tensor | None
) -> dict[str, Any]:
    """What `run_layer` is given for them; nothing where there is nobody. `folded`: the embedding within weight_ih."""
    if not inside:
        return {}
    records = [record for one in inside if (record := one.record(net, layer, reverse)) is not None]
    if len(records) > 1:
        raise InputError(
            "the net is traced twice at once; use one trace, with preactivations=True where they are wanted"
        )
    changes = [change for one in inside if (change := one.change(net, layer, reverse)) is not None]
    found: dict[str, Any] = {}
    if records:
        records[0].embedding = folded
        found["record"] = records[0]
    if changes:
        found["change"] = changes[0] if len(changes) == 1 else _one_after_another(changes)
    return found


def _one_after_another(changes: Sequence[Change]) -> Change:
    def change(t: int, name: str, value: Tensor) -> Tensor:
        for one in changes:
            value = one(t, name, value)
        return value

    return change
