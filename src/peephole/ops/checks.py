"""The one place where shapes, dtypes and devices of an operator's arguments are checked."""

from collections.abc import Sequence

import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.spec import CellSpec


def _shape(tensor: Tensor) -> str:
    return "[" + ", ".join(str(size) for size in tensor.shape) + "]"


def check_layer(
    spec: CellSpec,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
) -> None:
    """Raise `InputError` unless the arguments of one layer and direction fit each other.

    x `[T, B, I]` with T ≥ 1; one state `[B, ·]` per name in `spec.states`; one weight per name in
    `spec.parameter_names()`; `lengths` int64 `[B]` within 0 … T; `resets` bool `[T, B]`.
    """
    if x.dim() != 3:
        raise InputError(f"input has shape {_shape(x)}; expected [T, B, I], time first")
    steps, batch, input_size = x.shape
    if steps == 0:
        raise InputError(f"input has shape {_shape(x)}: no time step; expected at least one (drop empty sequences)")
    names = spec.parameter_names()
    if len(weights) != len(names):
        raise InputError(f"got {len(weights)} weights; {spec.code} has {len(names)}: {', '.join(names)}")
    hidden = weights[0].shape[0] // len(spec.gates)
    proj = weights[-1].shape[0] if spec.projected else 0
    for (name, shape), weight in zip(spec.parameter_shapes(input_size, hidden, proj).items(), weights, strict=True):
        if tuple(weight.shape) != shape:
            want = "[" + ", ".join(map(str, shape)) + "]"
            raise InputError(
                f"{name} has shape {_shape(weight)}; expected {want} for an input of {input_size} features"
            )
        if weight.dtype != x.dtype or weight.device != x.device:
            got, want = f"{weight.dtype} on {weight.device}", f"{x.dtype} on {x.device}"
            raise InputError(f"{name} is {got} and the input is {want}; move one to the other with .to()")
    if len(states) != len(spec.states):
        raise InputError(f"got {len(states)} states; {spec.code} has {len(spec.states)}: {', '.join(spec.states)}")
    for name, size, state in zip(spec.states, spec.state_sizes(hidden, proj), states, strict=True):
        if tuple(state.shape) != (batch, size):
            raise InputError(f"state {name} has shape {_shape(state)}; expected [{batch}, {size}]")
        if state.device != x.device:
            raise InputError(f"state {name} is on {state.device}, the input on {x.device}; move one to the other")
    if lengths is not None:
        check_lengths(lengths, steps, batch)
    if resets is not None and (resets.dtype != torch.bool or tuple(resets.shape) != (steps, batch)):
        raise InputError(f"resets are {resets.dtype} {_shape(resets)}; expected torch.bool [{steps}, {batch}]")


def check_lengths(lengths: Tensor, steps: int, batch: int) -> None:
    """Raise `InputError` unless `lengths` is int64 `[B]` with values 0 … T."""
    if lengths.dtype != torch.int64 or tuple(lengths.shape) != (batch,):
        raise InputError(f"lengths are {lengths.dtype} {_shape(lengths)}; expected torch.int64 [{batch}], one per row")
    if torch.compiler.is_compiling() or batch == 0:  # a compiled graph cannot look at values
        return
    low, high = int(lengths.min()), int(lengths.max())
    if low < 0 or high > steps:
        raise InputError(f"lengths run from {low} to {high}; expected 0 to {steps}, the number of steps in the input")
