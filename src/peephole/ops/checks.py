"""The one place where shapes, dtypes and devices of an operator's arguments are checked."""

import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.operands import Operands
from peephole.spec import BUILT_IN


def _shape(tensor: Tensor) -> str:
    return "[" + ", ".join(str(size) for size in tensor.shape) + "]"


def check_operands(operands: Operands) -> None:
    """Raise `InputError` unless the arguments of one layer and direction fit each other.

    x `[T, B, I]` with T, I ≥ 1, or int64 `[T, B]`; one state `[B, ·]` per name in `spec.states`; one weight per name in
    `spec.parameter_names()`; `lengths` int64 `[B]` within 0 … T; `resets` bool `[T, B]`; a recurrent mask `[B, H]`.
    """
    spec, x, states, weights = operands.spec, operands.x, operands.states, operands.weights
    if operands.symbols:
        if x.dtype != torch.int64 or x.dim() != 2:
            raise InputError(f"symbols are {x.dtype} {_shape(x)}; expected torch.int64 [T, B], time first")
        (steps, batch), input_size = x.shape, weights[0].shape[-1]
    elif x.dim() != 3:
        raise InputError(f"input has shape {_shape(x)}; expected [T, B, I], time first")
    else:
        steps, batch, input_size = x.shape
    if steps == 0:
        raise InputError(f"input has shape {_shape(x)}: no time step; expected at least one (drop empty sequences)")
    if input_size == 0:
        raise InputError(f"input has shape {_shape(x)}: no feature; expected at least one")
    names = spec.parameter_names()
    if len(weights) != len(names):
        raise InputError(f"got {len(weights)} weights; {spec.code} has {len(names)}: {', '.join(names)}")
    named = operands.named_weights
    hidden = weights[0].shape[0] // len(spec.gates)
    proj = named["weight_hr"].shape[0] if spec.projected else 0
    for name, shape in spec.parameter_shapes(input_size, hidden, proj).items():
        weight = named[name]
        if tuple(weight.shape) != shape:
            want = "[" + ", ".join(map(str, shape)) + "]"
            raise InputError(
                f"{name} has shape {_shape(weight)}; expected {want} for an input of {input_size} features"
            )
        if weight.dtype != operands.dtype or weight.device != x.device:
            got, want = f"{weight.dtype} on {weight.device}", f"{operands.dtype} on {x.device}"
            raise InputError(f"{name} is {got} and the input is {want}; move one to the other with .to()")
    if len(states) != len(spec.states):
        raise InputError(f"got {len(states)} states; {spec.code} has {len(spec.states)}: {', '.join(spec.states)}")
    for name, size, state in zip(spec.states, spec.state_sizes(hidden, proj), states, strict=True):
        if tuple(state.shape) != (batch, size):
            raise InputError(f"state {name} has shape {_shape(state)}; expected [{batch}, {size}]")
        if state.device != x.device:
            raise InputError(f"state {name} is on {state.device}, the input on {x.device}; move one to the other")
    if operands.lengths is not None:
        check_lengths(operands.lengths, steps, batch)
    resets = operands.resets
    if resets is not None and (resets.dtype != torch.bool or tuple(resets.shape) != (steps, batch)):
        raise InputError(f"resets are {resets.dtype} {_shape(resets)}; expected torch.bool [{steps}, {batch}]")
    _check_masks(operands)


def _check_masks(operands: Operands) -> None:
    spec, masks = operands.spec, operands.masks
    if not masks:
        return
    if len(masks) != 1 + len(spec.states):
        raise InputError(f"got {len(masks)} masks; expected one for the recurrent product and one for each state")
    mask, want = operands.recurrent_mask, operands.states[0].shape
    if mask is not None and mask.shape != want:
        raise InputError(f"the mask of the recurrent product has shape {_shape(mask)}; expected {list(want)}")
    for name, state, kept in zip(spec.states, operands.states, masks[1:], strict=True):
        want = (operands.x.shape[0], *state.shape)
        fits = kept.dim() == 3 and all(size in (1, full) for size, full in zip(kept.shape, want, strict=True))
        if kept.numel() and name not in ("h", "c") and spec.family in BUILT_IN:
            raise InputError(f"zoneout of state {name} is given; the cells of ours have it for h and c")
        if kept.numel() and not fits:
            raise InputError(f"zoneout of state {name} has shape {_shape(kept)}; expected {list(want)} or 1 for a size")


def check_lengths(lengths: Tensor, steps: int, batch: int) -> None:
    """Raise `InputError` unless `lengths` is int64 `[B]` with values 0 … T."""
    if lengths.dtype != torch.int64 or tuple(lengths.shape) != (batch,):
        raise InputError(f"lengths are {lengths.dtype} {_shape(lengths)}; expected torch.int64 [{batch}], one per row")
    if torch.compiler.is_compiling() or batch == 0:  # a compiled graph cannot look at values
        return
    low, high = int(lengths.min()), int(lengths.max())
    if low < 0 or high > steps:
        raise InputError(f"lengths run from {low} to {high}; expected 0 to {steps}, the number of steps in the input")
