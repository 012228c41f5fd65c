"""Where training starts: torch's uniform, orthogonal, identity (IRNN), chrono; and the forget gate's bias."""

import math
from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.spec import BUILT_IN, CellSpec

Scheme = Literal["torch", "orthogonal", "identity", "chrono"]


def check_initialisation(spec: CellSpec, scheme: str, forget_bias: float | None, longest: int | None) -> None:
    """Raise `InputError` for a scheme that is unknown or that `spec` cannot have."""
    if scheme not in get_args(Scheme):
        raise InputError(f"unknown initialisation {scheme!r}; choose one of {', '.join(get_args(Scheme))}")
    if scheme == "identity" and spec.family != "rnn":
        others = "orthogonal or chrono" if spec.family in BUILT_IN else "orthogonal"
        raise InputError(f"identity initialisation is the RNN's (IRNN); for a {spec.family} choose {others}")
    if scheme == "identity" and spec.residual == "input":
        raise InputError("identity initialisation sets the recurrent matrix, and residual='input' has none")
    if scheme == "chrono" and spec.family == "rnn":
        raise InputError(
            "chrono initialisation sets gate biases and an RNN has no gates; choose orthogonal or identity"
        )
    if scheme == "chrono" and not _memory_gate(spec):
        raise InputError(f"chrono initialisation sets the gate that forgets, and {spec.code} has none")
    if scheme == "chrono" and (longest is None or longest < 3):
        raise InputError(f"chrono initialisation got longest={longest}; expected the longest dependency in steps, ≥ 3")
    if (scheme == "chrono" or forget_bias is not None) and not spec.bias:
        raise InputError("chrono initialisation and forget_bias set biases, and bias=False leaves none")
    if scheme == "chrono" and forget_bias is not None:
        raise InputError(f"chrono initialisation draws the forget gate's bias, and forget_bias={forget_bias} sets it")
    if forget_bias is not None and (spec.family == "gru" or not _memory_gate(spec)):
        raise InputError(f"forget_bias is the forget gate's, and {spec.code} has no forget gate")
    if forget_bias is not None and not math.isfinite(forget_bias):
        raise InputError(f"forget_bias is {forget_bias}; expected a finite number")


def _memory_gate(spec: CellSpec) -> tuple[str, int] | None:
    """The gate that decides how much of the old state stays, and 1 where it opens for the old, -1 for the new."""
    if spec.family not in BUILT_IN:  # whose gates may mean anything
        return None
    if "f" in spec.gates:
        return "f", 1
    if spec.coupled:  # f = 1 - i
        return "i", -1
    if spec.family == "gru":
        return "z", 1 if spec.update == "keeps" else -1
    return None


@torch.no_grad()
def initialise(
    spec: CellSpec,
    layers: Iterable[dict[str, Tensor]],
    hidden_size: int,
    scheme: str = "torch",
    forget_bias: float | None = None,
    longest: int | None = None,
) -> None:
    """Fill the parameters of each layer and direction in place.

    `torch`: every number uniform within ±1/√H, drawn as torch.nn draws them, so that equal seeds give equal nets.
    `orthogonal`: recurrent blocks orthogonal (Saxe et al. 2014), input blocks Glorot uniform, biases, peepholes and
    gate recurrence zero. `identity`: recurrent matrix the identity on the last hidden state, the rest as before (Le,
    Jaitly & Hinton 2015). `chrono`: as torch, then gate biases log U(1, longest − 1), so that time constants spread up
    to `longest` steps (Tallec & Ollivier 2018). `forget_bias` sets the forget gate's total bias (Gers et al. 2000,
    Jozefowicz et al. 2015). Layer normalisation starts at
    scale 1 and shift 0 or, where a bias was asked for, at that; the biases before it start at zero.
    """
    check_initialisation(spec, scheme, forget_bias, longest)
    for named in layers:
        if scheme in ("torch", "chrono"):
            bound = 1.0 / math.sqrt(hidden_size)
            for parameter in named.values():
                nn.init.uniform_(parameter, -bound, bound)
        else:
            _structured(spec, named, scheme)
        if spec.layer_norm:
            named["weight_ln"].fill_(1.0)
        if spec.layer_norm and spec.bias:  # random biases alone would be blown up to variance 1 where the input is zero
            for name in ("bias_ih", "bias_hh", "bias_ln"):
                if name in named:
                    named[name].zero_()
        if scheme == "chrono":
            _chrono(spec, named, hidden_size, longest or 3)
        if forget_bias is not None:
            set_forget_bias(spec, named, hidden_size, forget_bias)


@torch.no_grad()
def set_forget_bias(spec: CellSpec, named: dict[str, Tensor], hidden_size: int, forget_bias: float) -> None:
    """Give the forget gate of one layer and direction this total bias."""
    gate, sign = _memory_gate(spec) or ("f", 1)
    _set_bias(spec, named, gate, hidden_size, sign * forget_bias)


def gate_rows(spec: CellSpec, gate: str, hidden_size: int) -> slice:
    """The rows of the stacked weights and biases that belong to one gate."""
    index = spec.gates.index(gate)
    return slice(index * hidden_size, (index + 1) * hidden_size)


def _set_bias(spec: CellSpec, named: dict[str, Tensor], gate: str, hidden_size: int, value: float | Tensor) -> None:
    """Make `value` what is added to a gate's pre-activation last: after the normalisation where there is one."""
    rows = gate_rows(spec, gate, hidden_size)
    if spec.layer_norm:
        named["bias_ln"][rows] = value
    else:
        named["bias_ih"][rows] = value
        named["bias_hh"][rows] = 0.0


def _structured(spec: CellSpec, named: dict[str, Tensor], scheme: str) -> None:
    for name, parameter in named.items():
        if parameter.dim() == 1 or name in ("weight_ch", "weight_gh"):
            nn.init.zeros_(parameter)
        elif name == "weight_hh" and scheme == "identity":
            nn.init.eye_(parameter)
        else:
            blocks = parameter.chunk(len(spec.gates)) if name in ("weight_ih", "weight_hh") else [parameter]
            for block in blocks:
                (nn.init.orthogonal_ if name == "weight_hh" else nn.init.xavier_uniform_)(block)


def _chrono(spec: CellSpec, named: dict[str, Tensor], hidden_size: int, longest: int) -> None:
    spread = torch.empty_like(named["bias_ih"][:hidden_size]).uniform_(1.0, longest - 1.0).log_()
    gate, sign = _memory_gate(spec) or ("f", 1)
    _set_bias(spec, named, gate, hidden_size, sign * spread)
    if gate == "f" and "i" in spec.gates:
        _set_bias(spec, named, "i", hidden_size, -spread)
