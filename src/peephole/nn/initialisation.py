"""Where training starts: torch's uniform, orthogonal, identity (IRNN), chrono; and the LSTM's forget bias."""

import math
from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.spec import CellSpec

Scheme = Literal["torch", "orthogonal", "identity", "chrono"]


def check_initialisation(spec: CellSpec, scheme: str, forget_bias: float | None, longest: int | None) -> None:
    """Raise `InputError` for a scheme that is unknown or that `spec` cannot have."""
    if scheme not in get_args(Scheme):
        raise InputError(f"unknown initialisation {scheme!r}; choose one of {', '.join(get_args(Scheme))}")
    if scheme == "identity" and spec.family != "rnn":
        raise InputError(
            f"identity initialisation is the RNN's (IRNN); for a {spec.family} choose orthogonal or chrono"
        )
    if scheme == "chrono" and spec.family == "rnn":
        raise InputError(
            "chrono initialisation sets gate biases and an RNN has no gates; choose orthogonal or identity"
        )
    if scheme == "chrono" and (longest is None or longest < 3):
        raise InputError(f"chrono initialisation got longest={longest}; expected the longest dependency in steps, ≥ 3")
    if (scheme == "chrono" or forget_bias is not None) and not spec.bias:
        raise InputError("chrono initialisation and forget_bias set biases, and bias=False leaves none")
    if scheme == "chrono" and forget_bias is not None:
        raise InputError(f"chrono initialisation draws the forget gate's bias, and forget_bias={forget_bias} sets it")
    if forget_bias is not None and spec.family != "lstm":
        raise InputError(f"forget_bias is the LSTM's; a {spec.family} has no forget gate")


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
    `orthogonal`: recurrent blocks orthogonal (Saxe et al. 2014), input blocks Glorot uniform, biases zero.
    `identity`: recurrent matrix the identity, input Glorot, biases zero (Le, Jaitly & Hinton 2015).
    `chrono`: as torch, then gate biases log U(1, longest − 1), so that time constants spread up to `longest` steps
    (Tallec & Ollivier 2018). `forget_bias` sets the forget gate's total bias (Gers et al. 2000, Jozefowicz et al.
    2015).
    """
    check_initialisation(spec, scheme, forget_bias, longest)
    for named in layers:
        if scheme in ("torch", "chrono"):
            bound = 1.0 / math.sqrt(hidden_size)
            for parameter in named.values():
                nn.init.uniform_(parameter, -bound, bound)
        else:
            _structured(spec, named, scheme)
        if scheme == "chrono":
            _chrono(spec, named, hidden_size, longest or 3)
        if forget_bias is not None:
            rows = gate_rows(spec, "f", hidden_size)
            named["bias_ih"][rows] = forget_bias
            named["bias_hh"][rows] = 0.0


def gate_rows(spec: CellSpec, gate: str, hidden_size: int) -> slice:
    """The rows of the stacked weights and biases that belong to one gate."""
    index = spec.gates.index(gate)
    return slice(index * hidden_size, (index + 1) * hidden_size)


def _structured(spec: CellSpec, named: dict[str, Tensor], scheme: str) -> None:
    for name, parameter in named.items():
        if name.startswith("bias"):
            nn.init.zeros_(parameter)
        elif name == "weight_hh" and scheme == "identity":
            nn.init.eye_(parameter)
        else:
            for block in parameter.chunk(len(spec.gates)) if name != "weight_hr" else [parameter]:
                (nn.init.orthogonal_ if name == "weight_hh" else nn.init.xavier_uniform_)(block)


def _chrono(spec: CellSpec, named: dict[str, Tensor], hidden_size: int, longest: int) -> None:
    keep, write = ("f", "i") if spec.family == "lstm" else ("z", None)
    spread = torch.empty_like(named["bias_ih"][:hidden_size]).uniform_(1.0, longest - 1.0).log_()
    for gate, value in ((keep, spread), (write, -spread)):
        if gate is not None:
            rows = gate_rows(spec, gate, hidden_size)
            named["bias_ih"][rows] = value
            named["bias_hh"][rows] = 0.0
