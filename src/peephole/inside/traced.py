"""What was seen of one layer in one direction, and of one call of a net."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peephole.errors import InputError
from peephole.ops.tracing import Record
from peephole.spec import CellSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXES = ("step", "row", "unit")


class Named(Mapping[str, Tensor]):
    """Tensors by name, each read when it is asked for."""

    def __init__(self, names: tuple[str, ...], read: Callable[[str], Tensor], lacking: str) -> None:
        self._names, self._read, self._lacking = names, read, lacking

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            here = f"; there are {', '.join(self._names)}" if self._names else ""
            raise InputError(f"no {name!r} here: {self._lacking}{here}")
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __repr__(self) -> str:
        return f"{{{', '.join(self._names)}}}"


@dataclass(frozen=True, eq=False)
class TracedLayer:
    """One layer and direction of a call, its numbers as `[step, row, unit]`, whatever the layout of the input.

    `steps`, `rows` and `units` are the coordinates of what was kept along each axis; `alive` `[step, row]` is false
    past a row's end, where all numbers are zero; `by` says whose numbers they are. `layer["f"]` is a gate, a state or,
    as `z_f`, a pre-activation.
    """

    module: str
    spec: CellSpec
    layer: int
    reverse: bool
    record: Record
    steps: Int[Tensor, "steps"]
    rows: Int[Tensor, "rows"]
    units: Int[Tensor, "units"]
    alive: Bool[Tensor, "steps rows"] | None

    axes = AXES

    @property
    def name(self) -> str:
        """How people call it: `layer 0`, `layer 1 reverse`."""
        return f"layer {self.layer}{' reverse' if self.reverse else ''}"

    @property
    def by(self) -> str:
        """Who showed it: the compiled kernels, or the equations beside another kernel."""
        return self.record.source or self.record.by

    @property
    def gates(self) -> Named:
        """Each gate and candidate after its activation, `[step, row, unit]`, in torch's order; none of an RNN."""
        names = tuple(
            gate for gate in self.spec.gates if gate in self.record.values and gate not in self.spec.states[:1]
        )
        return Named(names, self._value, f"a {self.spec.code} has no such gate")

    @property
    def states(self) -> Named:
        """Each state after each step, `[step, row, unit]`: h, and the LSTM's c."""
        names = tuple(state for state in self.spec.states if state in self.record.values and state not in self.gates)
        return Named(names, self._value, f"a {self.spec.code} has no such state")

    @property
    def preactivations(self) -> Named:
        """What enters each activation (after layer norm), by gate, `[step, row, unit]`; where the trace asked for it.

        Of a cell of one's own: what its function was given.
        """
        names = tuple(gate for gate in self.spec.gates if f"z_{gate}" in self.record.values)
        lacking = f"a {self.spec.code} has no such gate"
        if not self.record.preactivations:
            lacking = "pre-activations were not asked for, trace(…, preactivations=True) does"
        return Named(names, lambda name: self._value(f"z_{name}"), lacking)

    @property
    def gradients(self) -> Named:
        """∂Div/∂h_t, and ∂Div/∂c_t of an LSTM, of each step, `[step, row, unit]`, once a backward has come through.

        All that reaches the state after the step: that of c counts what leaves through the h of the same step. Those of
        several backwards are added, as torch does.
        """
        self.record.finish()
        names = tuple(state for state in self.spec.states if state in self.record.dstates)
        return Named(names, self._gradient, _no_backward(self.record))

    @property
    def contributions(self) -> Named:
        """‖∂Div/∂W‖ of each step's part, over all rows and units, `[step]`: of `weight_ih`, `weight_hh`, `bias_ih`."""
        found = self.record.contributed()
        return Named(tuple(found), found.__getitem__, _no_backward(self.record))

    @property
    def shares(self) -> Float[Tensor, "steps"]:
        """Each step's share of the weights' gradient: the norm of its part over the sum of those norms."""
        parts = list(self.contributions.values())
        if not parts:
            raise InputError(f"no shares here: {_no_backward(self.record)}")
        norms = torch.stack(parts).square().sum(0).sqrt()
        return norms / norms.sum().clamp_min(torch.finfo(norms.dtype).tiny)

    def __getitem__(self, name: str) -> Tensor:
        for group in (self.gates, self.states):
            if name in group:
                return group[name]
        if name.startswith("z_"):
            return self.preactivations[name.removeprefix("z_")]
        if name.startswith("d_"):
            return self.gradients[name.removeprefix("d_")]
        raise InputError(f"no {name!r} here; there are {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """All that can be read by `layer[name]`: gates, states, `z_…` before activations, `d_…` gradients."""
        before = (f"z_{gate}" for gate in self.preactivations)
        return (*self.gates, *self.states, *before, *(f"d_{state}" for state in self.gradients))

    def plot(self, ax: "Axes", name: str = "h", row: int = 0) -> None:
        """One row of the batch as a picture, a unit a line, over the steps: anything that `layer[name]` gives."""
        values = self[name][:, row].float().cpu()
        steps, units = self.steps.cpu(), self.units.cpu()
        largest = float(values.abs().max())
        bounds = (0.0, 1.0) if name in ("i", "f", "o", "r", "z") else (-largest, largest)
        image = ax.pcolormesh(
            _edges(steps), _edges(units), values.t().numpy(), cmap="cividis", vmin=bounds[0], vmax=bounds[1]
        )
        image.set_rasterized(True)
        ax.figure.colorbar(image, ax=ax, label=name)
        ax.set(xlabel="t", ylabel="unit", title=f"{self.name}, {name}")
        ax.invert_yaxis()

    def _value(self, name: str) -> Tensor:
        return self._within(self.record.value(name))

    def _gradient(self, name: str) -> Tensor:
        return self._within(self.record.gradient(name))

    def _within(self, values: Tensor) -> Tensor:
        return values if self.alive is None else values.masked_fill(~self.alive[..., None], 0.0)

    def __repr__(self) -> str:
        size = " × ".join(str(len(each)) for each in (self.steps, self.rows, self.units))
        return (
            f"TracedLayer({self.module}, {self.name}: {self.spec.code}, {size}, by {self.by}; {', '.join(self.names)})"
        )


def _edges(places: Tensor) -> Any:
    """Borders of cells around whole numbers, as wide as the way to the next."""
    return torch.cat([places, places[-1:] + 1]).numpy() - 0.5


def _no_backward(record: Record) -> str:
    if not record.gradients:
        return "gradients were left out of this trace"
    return "no backward has come through this layer; call divergence.backward() with parameters that want a gradient"


@dataclass(frozen=True, eq=False)
class TracedCall:
    """One call of a recurrent net: its name in the model, and its layers and directions in torch.nn's order."""

    module: str
    layers: tuple[TracedLayer, ...]
