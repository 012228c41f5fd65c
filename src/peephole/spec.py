"""A cell as data: what a variant is called, which gates and states it has, and which parameters it needs.

The reference reads a spec, the kernels are chosen by it, the operators carry it as a short text (`CellSpec.code`).
Nothing here knows torch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Literal, get_args

from peephole.errors import InputError

Family = Literal["rnn", "lstm", "gru"]
Nonlinearity = Literal["tanh", "relu"]

GATES: dict[str, tuple[str, ...]] = {"rnn": ("h",), "lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "n")}
STATES: dict[str, tuple[str, ...]] = {"rnn": ("h",), "lstm": ("h", "c"), "gru": ("h",)}
SOURCES: dict[str, str] = {
    "rnn": "Elman 1990, Finding structure in time",
    "lstm": "Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000",
    "gru": "Cho et al. 2014, with the reset gate after the product as in cuDNN",
}


@dataclass(frozen=True)
class CellSpec:
    """One kind of cell.

    `nonlinearity` belongs to the RNN family, `projected` (the hidden state is a projection of o ∘ tanh(c), Sak et al.
    2014) to the LSTM family. A combination that no cell has raises `InputError`.
    """

    family: Family
    nonlinearity: Nonlinearity = "tanh"
    bias: bool = True
    projected: bool = False

    def __post_init__(self) -> None:
        if self.family not in GATES:
            raise InputError(f"unknown cell family {self.family!r}; choose one of {', '.join(GATES)}")
        if self.nonlinearity not in get_args(Nonlinearity):
            known = ", ".join(get_args(Nonlinearity))
            raise InputError(f"unknown nonlinearity {self.nonlinearity!r}; choose one of {known}")
        if self.nonlinearity != "tanh" and self.family != "rnn":
            raise InputError(f"nonlinearity={self.nonlinearity!r} is an option of the RNN; a {self.family} has its own")
        if self.projected and self.family != "lstm":
            raise InputError(f"proj_size is an option of the LSTM; a {self.family} cannot project its hidden state")

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the pre-activations, in the order in which their rows are stacked."""
        return GATES[self.family]

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, in the order in which they are passed."""
        return STATES[self.family]

    @property
    def source(self) -> str:
        """Where the equations come from."""
        return SOURCES[self.family]

    @property
    def code(self) -> str:
        """The spec as one short text, for example `rnn nonlinearity=relu bias=False`; `parse_spec` reads it back."""
        switches = [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if field.name != "family" and getattr(self, field.name) != field.default
        ]
        return " ".join([self.family, *switches])

    def parameter_shapes(self, input_size: int, hidden_size: int, proj_size: int = 0) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter of one layer and direction, by torch's name and in torch's order."""
        rows = len(self.gates) * hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, proj_size or hidden_size),
        }
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.projected:
            shapes["weight_hr"] = (proj_size, hidden_size)
        return shapes

    def state_sizes(self, hidden_size: int, proj_size: int = 0) -> tuple[int, ...]:
        """Number of units of each state; with a projection h is narrower than c."""
        return tuple((proj_size or hidden_size) if name == "h" else hidden_size for name in self.states)

    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters of one layer and direction, in torch's order."""
        return tuple(self.parameter_shapes(1, 1, 1))


@lru_cache(maxsize=256)
def parse_spec(code: str) -> CellSpec:
    """The spec that `CellSpec.code` wrote."""
    family, *switches = code.split()
    values: dict[str, object] = {}
    for switch in switches:
        name, _, text = switch.partition("=")
        values[name] = {"True": True, "False": False}.get(text, text)
    return CellSpec(family, **values)  # pyright: ignore[reportArgumentType]  (a text that `code` wrote)
