"""A cell as data: its switches, gates, states, parameters, equations and source.

The reference reads a spec, the kernels are chosen by it, the operators carry it as a short text (`CellSpec.code`), the
documentation prints it. Nothing here knows torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, get_args, get_type_hints

from peephole.errors import InputError

# --- families: what all variants of a cell have in common ---


@dataclass(frozen=True)
class Family:
    """A kind of cell: the names of its pre-activations and states, in order, and where it comes from.

    `parameters` are further ones than torch's, by name, with their shapes in terms of "H", "I" and numbers; only a
    user's own cell has them here.
    """

    gates: tuple[str, ...]
    states: tuple[str, ...]
    source: str
    parameters: Mapping[str, tuple[str | int, ...]] = field(default_factory=lambda: MappingProxyType({}))


BUILT_IN: dict[str, Family] = {
    "rnn": Family(("h",), ("h",), "Elman 1990, Finding structure in time"),
    "lstm": Family(
        ("i", "f", "g", "o"),
        ("h", "c"),
        "Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000",
    ),
    "gru": Family(("r", "z", "n"), ("h",), "Cho et al. 2014"),
}
FAMILIES: dict[str, Family] = dict(BUILT_IN)  # and those that users register

# --- switches: what a variant changes ---

Nonlinearity = Literal["tanh", "relu", "sigmoid", "identity", "softmax"]


_RNN, _LSTM, _GRU = ({"family": name} for name in BUILT_IN)  # whose switch it is


@dataclass(frozen=True, kw_only=True)
class Switches:
    """What can be changed about a cell. A switch belongs to the family that its comment names, else to all."""

    # Biases of the pre-activations.
    bias: bool = True

    # Normalise each gate's pre-activation over its units, then scale and shift it (Ba et al. 2016).
    layer_norm: bool = False

    # rnn: the activation. identity is the linear recurrence, softmax acts on the whole vector.
    nonlinearity: Nonlinearity = field(default="tanh", metadata=_RNN)

    # rnn: how many of the last hidden states come back (multi-tap recursion).
    taps: int = field(default=1, metadata=_RNN)

    # rnn: h_t = h_{t-1} + F(x_t) with input, h_{t-1} + F(x_t, h_{t-1}) with full (identity mapping).
    residual: Literal["none", "input", "full"] = field(default="none", metadata=_RNN)

    # lstm: gates see the cell state through a vector (diagonal) or a matrix (full).
    peephole: Literal["none", "diagonal", "full"] = field(default="none", metadata=_LSTM)

    # lstm: the candidate sees the cell state too.
    candidate_peephole: bool = field(default=False, metadata=_LSTM)

    # lstm: the forget gate is 1 - i (CIFG).
    coupled: bool = field(default=False, metadata=_LSTM)

    # lstm: without it everything is written, i = 1 (NIG).
    input_gate: bool = field(default=True, metadata=_LSTM)

    # lstm: without it nothing is forgotten, f = 1 (NFG).
    forget_gate: bool = field(default=True, metadata=_LSTM)

    # lstm: without it everything is shown, o = 1 (NOG).
    output_gate: bool = field(default=True, metadata=_LSTM)

    # lstm: the candidate's tanh (without it NIAF).
    input_activation: bool = field(default=True, metadata=_LSTM)

    # lstm: the tanh of the cell state (without it NOAF).
    output_activation: bool = field(default=True, metadata=_LSTM)

    # lstm: gates see the gates of the step before (full gate recurrence, FGR).
    gate_recurrence: bool = field(default=False, metadata=_LSTM)

    # gru: the reset gate weighs the product W h (after, as torch) or h itself (before, as Cho et al. 2014), or there is
    # none (Ravanelli et al. 2018).
    reset: Literal["after", "before", "none"] = field(default="after", metadata=_GRU)

    # gru: the update gate weighs the old state (keeps, as torch) or the new (writes).
    update: Literal["keeps", "writes"] = field(default="keeps", metadata=_GRU)


SWITCHES = {switch.name: switch for switch in fields(Switches)}

# The variants of Greff et al. 2017, LSTM: a search space odyssey, each one change away from the baseline V.
Variant = Literal["V", "NIG", "NFG", "NOG", "NIAF", "NOAF", "CIFG", "NP", "FGR"]
_BASELINE: dict[str, Any] = {"peephole": "diagonal"}
VARIANTS: dict[str, dict[str, Any]] = {
    "V": _BASELINE,
    "NIG": _BASELINE | {"input_gate": False},
    "NFG": _BASELINE | {"forget_gate": False},
    "NOG": _BASELINE | {"output_gate": False},
    "NIAF": _BASELINE | {"input_activation": False},
    "NOAF": _BASELINE | {"output_activation": False},
    "CIFG": _BASELINE | {"coupled": True},
    "NP": {"peephole": "none"},
    "FGR": _BASELINE | {"gate_recurrence": True},
}

# Where a switch that is not at its default comes from.
_SOURCES: dict[tuple[str, Any], str] = {
    ("layer_norm", True): "Ba, Kiros & Hinton 2016",
    ("nonlinearity", "relu"): "Le, Jaitly & Hinton 2015",
    ("residual", "input"): "identity mapping, He et al. 2016",
    ("residual", "full"): "identity mapping, He et al. 2016",
    ("peephole", "diagonal"): "Gers & Schmidhuber 2000",
    ("peephole", "full"): "Gers & Schmidhuber 2000, with matrices in place of vectors",
    ("candidate_peephole", True): "the candidate's as lectured in CMU 11-785, Introduction to Deep Learning",
    ("coupled", True): "CIFG of Greff et al. 2017",
    ("input_gate", False): "NIG of Greff et al. 2017",
    ("forget_gate", False): "NFG of Greff et al. 2017",
    ("output_gate", False): "NOG of Greff et al. 2017",
    ("input_activation", False): "NIAF of Greff et al. 2017",
    ("output_activation", False): "NOAF of Greff et al. 2017",
    ("gate_recurrence", True): "FGR of Greff et al. 2017",
    ("reset", "none"): "without a reset gate as in Ravanelli, Brakel, Omologo & Bengio 2018",
    ("update", "writes"): "Chung et al. 2014",
    ("projected", True): "Sak, Senior & Beaufays 2014",
}


@dataclass(frozen=True)
class CellSpec(Switches):
    """One cell: a family and its switches.

    `projected` says that the hidden state is a projection of o ∘ tanh(c) (LSTM); its size is the layer's `proj_size`.
    Switches that contradict each other, or that the family does not have, raise `InputError`.
    """

    family: str
    projected: bool = field(default=False, kw_only=True)

    # Made once, because every call of a layer asks for them.

    # Names of the pre-activations, in the order in which their rows are stacked; a missing gate has no rows.
    gates: tuple[str, ...] = field(init=False, repr=False, compare=False)

    # Names of the states, in the order in which they are passed; the first is the output. `h_1`, `h_2`, … are h one,
    # two, … steps earlier; full gate recurrence carries its gates.
    states: tuple[str, ...] = field(init=False, repr=False, compare=False)

    # The spec as one short text, for example `rnn bias=False nonlinearity=relu`; `parse_spec` reads it back.
    code: str = field(init=False, repr=False, compare=False)

    _parameter_names: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise InputError(f"unknown cell family {self.family!r}; choose one of {', '.join(FAMILIES)}")
        for switch in SWITCHES.values():
            self._check_value(switch.name, getattr(self, switch.name))
            owner = switch.metadata.get("family")
            if owner not in (None, self.family) and getattr(self, switch.name) != switch.default:
                value = getattr(self, switch.name)
                raise InputError(f"{switch.name}={value!r} is a switch of the {owner}; a {self.family} has none")
        if self.projected and self.family != "lstm":
            raise InputError(f"proj_size is an option of the lstm; a {self.family} cannot project its hidden state")
        if self.layer_norm and self.family not in BUILT_IN:
            raise InputError(
                f"layer_norm needs the cell's own pre-activations; normalise inside the step of {self.family!r}"
            )
        place = object.__setattr__
        place(self, "gates", self._find_gates())
        self._check_contradictions()
        place(self, "states", self._find_states())
        place(self, "code", " ".join([self.family, *(f"{name}={value}" for name, value in self.changes.items())]))
        place(self, "_parameter_names", tuple(self.parameter_shapes(1, 1, 1)))

    def _check_value(self, name: str, value: Any) -> None:
        kind = _value_kinds()[name]
        if kind is bool and not isinstance(value, bool):
            raise InputError(f"{name} is {value!r}; expected True or False")
        if kind is int and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise InputError(f"{name} is {value!r}; expected a whole number of at least 1")
        if isinstance(kind, tuple) and value not in kind:
            raise InputError(f"unknown {name} {value!r}; choose one of {', '.join(kind)}")

    def _check_contradictions(self) -> None:
        if self.residual == "input" and self.taps > 1:
            raise InputError(f"residual='input' has no recurrent product, so taps={self.taps} has nothing to weigh")
        if self.candidate_peephole and self.peephole == "none":
            raise InputError("candidate_peephole=True needs peepholes; set peephole='diagonal' or 'full'")
        if self.coupled and not self.input_gate:
            raise InputError(
                "coupled=True makes the forget gate 1 - i, and input_gate=False leaves no i; drop one of them"
            )
        if self.coupled and not self.forget_gate:
            raise InputError(
                "coupled=True makes the forget gate 1 - i, and forget_gate=False removes it; drop one of them"
            )
        if self.gate_recurrence and not self.sigmoid_gates:
            raise InputError("gate_recurrence=True feeds gates back, and this lstm has no gate left")
        if self.peephole != "none" and not self.peephole_gates:
            raise InputError(
                f"peephole={self.peephole!r} lets gates see the cell state, and this lstm has no gate left"
            )

    # --- names ---

    def _find_gates(self) -> tuple[str, ...]:
        missing = {"i": not self.input_gate, "f": self.coupled or not self.forget_gate, "o": not self.output_gate}
        missing["r"] = self.reset == "none"
        return tuple(gate for gate in FAMILIES[self.family].gates if not missing.get(gate, False))

    @property
    def sigmoid_gates(self) -> tuple[str, ...]:
        """The LSTM's gates without the candidate."""
        return tuple(gate for gate in self.gates if gate != "g") if self.family == "lstm" else ()

    @property
    def peephole_gates(self) -> tuple[str, ...]:
        """The pre-activations that see the cell state, in the order in which their peepholes are stacked."""
        if self.peephole == "none":
            return ()
        return tuple(gate for gate in self.gates if gate != "g" or self.candidate_peephole)

    def _find_states(self) -> tuple[str, ...]:
        states = FAMILIES[self.family].states
        if self.gate_recurrence:
            return (*states, *self.sigmoid_gates)
        return (*states, *(f"h_{k}" for k in range(1, self.taps)))

    @property
    def source(self) -> str:
        """Where the equations come from."""
        values = ((name, getattr(self, name)) for name in (*SWITCHES, "projected"))
        found = [FAMILIES[self.family].source, *(_SOURCES[pair] for pair in values if pair in _SOURCES)]
        if self.taps > 1:
            found.append("Lin, Horne, Tiňo & Giles 1996, Learning long-term dependencies in NARX networks")
        if self.family == "gru" and self.reset == "after":
            found.append("reset after the product as in cuDNN")
        return "; ".join(dict.fromkeys(found))

    @property
    def changes(self) -> dict[str, Any]:
        """The switches that are not at their default, and `projected`."""
        defaults = {name: switch.default for name, switch in SWITCHES.items()} | {"projected": False}
        return {name: getattr(self, name) for name, default in defaults.items() if getattr(self, name) != default}

    @property
    def beyond_torch(self) -> str:
        """What `torch.nn` lacks of this cell, as text; empty when it has it."""
        if self.family not in BUILT_IN:
            return f"cell {self.family!r}"
        known = {("bias", False), ("projected", True), ("nonlinearity", "relu")}
        missing = [f"{name}={value}" for name, value in self.changes.items() if (name, value) not in known]
        return f"{self.family} with {', '.join(missing)}" if missing else ""

    # --- parameters ---

    def parameter_shapes(self, input_size: int, hidden_size: int, proj_size: int = 0) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter of one layer and direction, by name: torch's in torch's order, then those it lacks.

        `weight_ch` are the peepholes, a row of blocks as `peephole_gates` names them; `weight_gh` is full gate
        recurrence, rows and columns as `sigmoid_gates`; `weight_ln` and `bias_ln` scale and shift normalised
        pre-activations.
        """
        rows = len(self.gates) * hidden_size
        recurs = self.residual != "input"
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, input_size)}
        if recurs:
            shapes["weight_hh"] = (rows, (proj_size if self.projected else hidden_size) * self.taps)
        if self.bias:
            shapes["bias_ih"] = (rows,)
        if self.bias and recurs:
            shapes["bias_hh"] = (rows,)
        if self.projected:
            shapes["weight_hr"] = (proj_size, hidden_size)
        if self.peephole != "none":
            peepholes = len(self.peephole_gates) * hidden_size
            shapes["weight_ch"] = (peepholes, hidden_size) if self.peephole == "full" else (peepholes,)
        if self.gate_recurrence:
            shapes["weight_gh"] = (len(self.sigmoid_gates) * hidden_size,) * 2
        if self.layer_norm:
            shapes["weight_ln"] = (rows,)
        if self.layer_norm and self.bias:
            shapes["bias_ln"] = (rows,)
        sizes: dict[str | int, int] = {"H": hidden_size, "I": input_size}
        for name, shape in FAMILIES[self.family].parameters.items():
            shapes[name] = tuple(sizes[size] if isinstance(size, str) else size for size in shape)
        return shapes

    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters of one layer and direction, in the order of `parameter_shapes`."""
        return self._parameter_names

    def parameter_count(self, input_size: int, hidden_size: int, proj_size: int = 0) -> int:
        """How many numbers one layer and direction learns."""
        total = 0
        for shape in self.parameter_shapes(input_size, hidden_size, proj_size).values():
            count = 1
            for size in shape:
                count *= size
            total += count
        return total

    def state_sizes(self, hidden_size: int, proj_size: int = 0) -> tuple[int, ...]:
        """Number of units of each state; with a projection h is narrower than c."""
        return tuple(proj_size if name == "h" and self.projected else hidden_size for name in self.states)

    # --- equations ---

    @property
    def equations(self) -> tuple[str, ...]:
        """One step as lines of text, `∘` component-wise."""
        if self.family == "rnn":
            return self._rnn_equations()
        if self.family == "lstm":
            return self._lstm_equations()
        if self.family == "gru":
            return self._gru_equations()
        return ()

    def _sum(self, gate: str, *more: str, recurrent: str | None = None) -> str:
        """The pre-activation of a gate."""
        recurrent = f"W_h{gate} h_{{t-1}}" if recurrent is None else recurrent
        terms = [f"W_i{gate} x_t", recurrent, *more, f"b_{gate}" if self.bias else ""]
        text = " + ".join(term for term in terms if term)
        return f"LN_{gate}({text})" if self.layer_norm else text

    def _rnn_equations(self) -> tuple[str, ...]:
        recurrent = " + ".join(f"W_h{'' if k == 1 else k} h_{{t-{k}}}" for k in range(1, self.taps + 1))
        z = self._sum("h", recurrent="" if self.residual == "input" else recurrent).replace("W_ih", "W_i")
        z = z.replace("b_h", "b").replace("LN_h", "LN")
        name = {"identity": "", "sigmoid": "σ"}.get(self.nonlinearity, self.nonlinearity)
        new = f"{name}({z})" if name else z
        return (f"h_t = {new}" if self.residual == "none" else f"h_t = h_{{t-1}} + {new}",)

    def _lstm_equations(self) -> tuple[str, ...]:
        def z(gate: str, cell: str) -> str:
            more: list[str] = []
            if gate in self.peephole_gates:
                more.append(f"W_c{gate} {cell}" if self.peephole == "full" else f"p_{gate} ∘ {cell}")
            if self.gate_recurrence and gate != "g":
                more += [f"R_{other}{gate} {other}_{{t-1}}" for other in self.sigmoid_gates]
            return self._sum(gate, *more)

        lines: list[str] = []
        if "i" in self.gates:
            lines.append(f"i_t = σ({z('i', 'c_{t-1}')})")
        if "f" in self.gates:
            lines.append(f"f_t = σ({z('f', 'c_{t-1}')})")
        elif self.coupled:
            lines.append("f_t = 1 - i_t")
        candidate = z("g", "c_{t-1}")
        lines.append(f"g_t = tanh({candidate})" if self.input_activation else f"g_t = {candidate}")
        old = "f_t ∘ c_{t-1}" if self.coupled or self.forget_gate else "c_{t-1}"
        lines.append(f"c_t = {old} + {'i_t ∘ g_t' if self.input_gate else 'g_t'}")
        if "o" in self.gates:
            lines.append(f"o_t = σ({z('o', 'c_t')})")
        shown = "tanh(c_t)" if self.output_activation else "c_t"
        shown = f"o_t ∘ {shown}" if self.output_gate else shown
        lines.append(f"h_t = W_hr ({shown})" if self.projected else f"h_t = {shown}")
        return tuple(lines)

    def _gru_equations(self) -> tuple[str, ...]:
        bias = " + b_hn" if self.bias else ""
        after, before = f"r_t ∘ (W_hn h_{{t-1}}{bias})", "W_hn (r_t ∘ h_{t-1})"
        recurrent = {"after": after, "before": before, "none": "W_hn h_{t-1}"}[self.reset]
        old, new = ("z_t", "(1 - z_t)") if self.update == "keeps" else ("(1 - z_t)", "z_t")
        return (
            *((f"r_t = σ({self._sum('r')})",) if "r" in self.gates else ()),
            f"z_t = σ({self._sum('z')})",
            f"n_t = tanh({self._sum('n', recurrent=recurrent)})",
            f"h_t = {old} ∘ h_{{t-1}} + {new} ∘ n_t",
        )


@lru_cache(maxsize=1)
def _value_kinds() -> dict[str, Any]:
    """For each switch `bool`, `int` or the texts that it may be."""
    hints = get_type_hints(Switches)
    return {name: get_args(hints[name]) or hints[name] for name in SWITCHES}


def switch_values(name: str) -> tuple[Any, ...]:
    """The values that a switch may have; of a number, small ones."""
    kind = _value_kinds()[name]
    return {bool: (True, False), int: (1, 2, 3)}.get(kind, kind) if isinstance(kind, type) else kind


def register_family(name: str, family: Family) -> None:
    """Make a user's cell known under its name, in place of one that had it."""
    FAMILIES[name] = family
    parse_spec.cache_clear()


def spec_of(family: str, variant: str | None = None, projected: bool = False, **switches: Any) -> CellSpec:
    """The spec of a family with the switches of a preset (Greff et al. 2017) and those given, which go first."""
    if variant is None:
        return CellSpec(family, projected=projected, **switches)
    if family != "lstm":
        raise InputError(f"variant={variant!r} is a preset of the lstm; a {family} has none, set its switches")
    if not isinstance(variant, str) or variant not in VARIANTS:
        raise InputError(f"unknown variant {variant!r}; choose one of {', '.join(VARIANTS)}")
    return CellSpec(family, projected=projected, **(VARIANTS[variant] | switches))


@lru_cache(maxsize=1024)
def parse_spec(code: str) -> CellSpec:
    """The spec that `CellSpec.code` wrote."""
    family, *switches = code.split()
    values: dict[str, Any] = {}
    for switch in switches:
        name, _, text = switch.partition("=")
        values[name] = {"True": True, "False": False}.get(text, int(text) if text.isdecimal() else text)
    return CellSpec(family, **values)
