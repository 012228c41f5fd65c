"""`batches_of`: what people have to train a module of torch on, as batches for the doctor."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from peephole.doctor.case import Batch
from peephole.errors import InputError

NAMES = ("inputs", "targets", "weights", "lengths", "resets", "carry")
LEFT_OUT = -100  # a class that torch's cross entropy leaves out of the mean
EXPECTED = "expected (inputs, targets), with lengths [B] or weights as a third, or a mapping of those names"


def batches_of(batches: Sequence[Any], batch_first: bool) -> tuple[Batch, ...]:
    """The same time first, whatever was given.

    A batch is a `Batch`, which stays as it is; `(inputs, targets)`, with lengths `[B]` of int64 or weights as a third;
    or a mapping with `inputs`, `targets` and any of `weights`, `lengths`, `resets`, `carry`. Inputs are symbols
    `[T, B]` or features `[T, B, I]`; targets classes `[T, B]` or values `[T, B, O]`, also without the last axis
    where there is one value; of one answer a sequence `[B]`, or values `[B, O]`. With `batch_first` B comes before T.
    Steps from a row's length on count nothing, nor do classes of -100.

    Raises:
        InputError: something else, or shapes that do not fit each other.
    """
    return tuple(_batch(number, batch, batch_first) for number, batch in enumerate(batches))


def _batch(number: int, batch: Any, batch_first: bool) -> Batch:
    if isinstance(batch, Batch):
        return batch
    parts = _parts(number, batch)
    inputs = _inputs(number, parts["inputs"], batch_first)
    targets = _targets(number, parts["targets"], inputs, batch_first)
    weights = _spread(number, "weights", parts.get("weights"), targets, batch_first)
    if not targets.is_floating_point() and bool((targets == LEFT_OUT).any()):
        counted = (targets != LEFT_OUT).float()
        weights, targets = counted if weights is None else weights * counted, targets.clamp_min(0)
    if parts.get("lengths") is not None:
        lengths = _tensor(number, "lengths", parts["lengths"]).cpu()
        if lengths.shape != inputs.shape[1:2]:
            raise InputError(f"{_shown(number, 'lengths', lengths)}; expected one for each of {inputs.shape[1]} rows")
        if len(targets) > 1:
            within = (torch.arange(len(targets))[:, None] < lengths).float()
            weights = within if weights is None else weights * within
    resets = _spread(number, "resets", parts.get("resets"), inputs, batch_first)
    return Batch(inputs, targets, weights, None if resets is None else resets.bool(), bool(parts.get("carry", False)))


def _parts(number: int, batch: Any) -> dict[str, Any]:
    """By name."""
    if isinstance(batch, Mapping):
        parts = dict(batch)
        if not {"inputs", "targets"} <= parts.keys() <= set(NAMES):
            raise InputError(f"batch {number} has {', '.join(map(str, parts)) or 'no names'}; {EXPECTED}")
        return parts
    if not isinstance(batch, Sequence) or isinstance(batch, str) or not 2 <= len(batch) <= 3:
        size = f" of {len(batch)}" if isinstance(batch, tuple | list) else ""
        raise InputError(f"batch {number} is a {type(batch).__name__}{size}; {EXPECTED}")
    parts = {"inputs": batch[0], "targets": batch[1]}
    if len(batch) == 3 and batch[2] is not None:
        third = _tensor(number, "its third part", batch[2])
        one_a_row = third.dim() == 1 and not third.is_floating_point() and third.dtype != torch.bool
        parts["lengths" if one_a_row else "weights"] = third
    return parts


def _tensor(number: int, name: str, value: Any) -> Tensor:
    try:
        found = value if isinstance(value, Tensor) else torch.from_numpy(np.asarray(value))
    except TypeError:
        raise InputError(f"batch {number}: {name} is a {type(value).__name__}; expected a tensor or an array") from None
    if found.is_complex() or found.is_sparse:
        raise InputError(f"batch {number}: {name} is {found.dtype}, {found.layout}; expected dense real numbers")
    return found.detach()


def _inputs(number: int, value: Any, batch_first: bool) -> Tensor:
    inputs = _tensor(number, "inputs", value)
    if inputs.dim() not in (2, 3) or 0 in inputs.shape or (inputs.dim() == 2 and inputs.is_floating_point()):
        raise InputError(f"{_shown(number, 'inputs', inputs)}; expected symbols [T, B] or features [T, B, I]")
    inputs = inputs.transpose(0, 1) if batch_first else inputs
    return inputs.float() if inputs.dim() == 3 else inputs.long()


def _targets(number: int, value: Any, inputs: Tensor, batch_first: bool) -> Tensor:
    """`[T, B]` or `[T, B, O]`; of one answer a sequence T is 1."""
    targets = _tensor(number, "targets", value)
    steps, rows = inputs.shape[:2]
    valued = targets.is_floating_point()
    each = (rows, steps) if batch_first else (steps, rows)
    if tuple(targets.shape[:2]) == each and targets.dim() <= (3 if valued else 2):
        targets = targets.transpose(0, 1) if batch_first else targets
        targets = targets[..., None] if valued and targets.dim() == 2 else targets
    elif targets.dim() >= 1 and targets.shape[0] == rows and targets.dim() <= (2 if valued else 1):
        targets = targets[None, :, None] if valued and targets.dim() == 1 else targets[None]
    else:
        order = "[B, T]" if batch_first else "[T, B]"
        raise InputError(
            f"{_shown(number, 'targets', targets)}, with inputs of {steps} steps and {rows} rows; expected one for "
            f"each step and row, {order}, or one for each row (batch_first is {batch_first})"
        )
    return targets.float() if valued else targets.long()


def _spread(number: int, name: str, value: Any, like: Tensor, batch_first: bool) -> Tensor | None:
    """Something for each of the targets' steps and rows, `[T, B]`."""
    if value is None:
        return None
    found = _tensor(number, name, value).float()
    steps, rows = like.shape[:2]
    if found.dim() == 3 and found.shape[2] == 1:
        found = found[..., 0]
    if tuple(found.shape) == (rows,) and steps == 1:
        return found[None]
    if tuple(found.shape) != ((rows, steps) if batch_first else (steps, rows)):
        raise InputError(f"{_shown(number, name, found)}; expected one for each of {steps} steps and {rows} rows")
    return found.transpose(0, 1) if batch_first else found


def _shown(number: int, name: str, value: Tensor) -> str:
    return f"batch {number}: {name} are {str(value.dtype).removeprefix('torch.')} of shape {list(value.shape)}"
