"""One layer and direction in the compiled kernels: arguments in, tensors out.

Saved for the backward, per step and row in one axis, float32 (float64 for float64): what the cells' headers in
`csrc/cells` name, in the layout of the kernels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import torch
from torch import Tensor

from peephole._native.instructions import absence, chosen, core
from peephole.errors import InputError
from peephole.operands import Call, Operands, state_dtype
from peephole.spec import BUILT_IN, CellSpec, parse_spec

PRECISIONS = {torch.float32: 0, torch.bfloat16: 1, torch.float64: 2}
MOST_STATES = 10
KEPT_FROM = 1 << 19  # bytes

# Order and numbers as in `csrc/bindings.cpp` and `csrc/layer.h`.
WEIGHTS = (
    "weight_ih",
    "weight_hh",
    "bias_ih",
    "bias_hh",
    "weight_hr",
    "weight_ch",
    "weight_gh",
    "weight_ln",
    "bias_ln",
)
CHOICES: dict[str, tuple[object, ...]] = {
    "family": tuple(BUILT_IN),
    "layer_norm": (False, True),
    "nonlinearity": ("tanh", "relu", "sigmoid", "identity", "softmax"),
    "taps": (),  # a number
    "residual": ("none", "input", "full"),
    "peephole": ("none", "diagonal", "full"),
    "candidate_peephole": (False, True),
    "coupled": (False, True),
    "input_gate": (False, True),
    "forget_gate": (False, True),
    "output_gate": (False, True),
    "input_activation": (False, True),
    "output_activation": (False, True),
    "gate_recurrence": (False, True),
    "reset": ("after", "before", "none"),
    "update": ("keeps", "writes"),
}


def refusal(call: Call) -> str | None:
    """Why the compiled kernels cannot run this call; None when they can."""
    if call.device != "cpu":
        return f"the compiled kernels run on the CPU, the tensors are on {call.device}"
    if call.spec.family not in BUILT_IN:
        return f"the compiled kernels know the cells of ours, not {call.spec.family!r}"
    if call.dtype not in PRECISIONS:
        return f"the compiled kernels have no {str(call.dtype).removeprefix('torch.')}"
    if len(call.spec.states) > MOST_STATES:
        return f"the compiled kernels carry {MOST_STATES} states, this cell has {len(call.spec.states)}"
    if call.empty:
        return "the batch is empty"
    return absence() or None


def reluctance(call: Call) -> str | None:
    """Why another kernel that can run this call should go first."""
    if call.one and not call.spec.beyond_torch and not call.noisy:
        return "the weights are packed anew on each call, which a single step does not repay"
    return None


# --- numbers for the compiled module ---


@lru_cache(maxsize=1024)
def cell_numbers(code: str) -> list[int]:
    """A spec as `read_cell` in `csrc/bindings.cpp` takes it."""
    spec = parse_spec(code)
    values = {name: getattr(spec, name) for name in CHOICES}
    return [CHOICES[name].index(value) if CHOICES[name] else int(value) for name, value in values.items()]


def _sizes(operands: Operands, checkpoint_every: int) -> list[int]:
    spec = operands.spec
    steps, batch = operands.x.shape[:2]
    rows, input_size = operands.weights[0].shape
    numbers = [
        PRECISIONS[operands.dtype],
        int(operands.reverse),
        torch.get_num_threads(),
        steps,
        batch,
        input_size,
        rows // len(spec.gates),
        operands.states[0].shape[-1] if spec.projected else 0,
        checkpoint_every,
        len(spec.states),
    ]
    if not operands.masks:
        return numbers + [0] * (3 * len(spec.states))
    for kept in operands.masks[1:]:
        if kept.numel():
            numbers += [stride if size > 1 else 0 for size, stride in zip(kept.shape, kept.stride(), strict=True)]
        else:
            numbers += [0, 0, 0]
    return numbers


@lru_cache(maxsize=1024)
def _saved_width(code: str, hidden: int, projection: int, full: bool, instructions: str) -> int:
    assert core is not None
    spec = parse_spec(code)
    sizes = [2 if full else 0, 0, 1, 1, 1, 1, hidden, projection, 0, len(spec.states), *[0] * 3 * len(spec.states)]
    return core.saved_size(instructions, cell_numbers(code), sizes)


def saved_width(spec: CellSpec, hidden: int, projection: int, dtype: torch.dtype) -> int:
    """Numbers saved per step and row."""
    # A compiler may have symbols for sizes; of those of the weights a graph is made for the values.
    return _saved_width(spec.code, int(hidden), int(projection), dtype == torch.float64, chosen())


class _Pointers:
    """Addresses of tensors, which it keeps alive."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._alive: list[Tensor] = []

    def add(self, *tensors: Tensor | None) -> None:
        for tensor in tensors:
            if tensor is None:
                self.numbers.append(0)
            else:
                self._alive.append(tensor)
                self.numbers.append(tensor.data_ptr())


def _plain(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Contiguous and of that dtype; the tensor itself where it is."""
    if tensor.dtype != dtype:
        tensor = tensor.to(dtype)
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def _check_symbols(operands: Operands) -> None:
    low, high, size = int(operands.x.min()), int(operands.x.max()), operands.weights[0].shape[1]
    if low < 0 or high >= size:
        raise InputError(f"symbols run from {low} to {high}; expected 0 to {size - 1}, the columns of weight_ih")


def _inputs(operands: Operands) -> _Pointers:
    dtype, x = operands.dtype, operands.x
    wide = state_dtype(dtype)
    named = operands.named_weights
    mask = operands.recurrent_mask
    pointers = _Pointers()
    if operands.symbols:
        _check_symbols(operands)
        pointers.add(None, x.contiguous(), named.pop("weight_ih").t().to(wide).contiguous())
    else:
        pointers.add(_plain(x, dtype), None, None)
    pointers.add(*(_plain(named[name], dtype) if name in named else None for name in WEIGHTS))
    pointers.add(
        None if operands.lengths is None else operands.lengths.contiguous(),
        None if operands.resets is None else operands.resets.contiguous(),
        None if mask is None else _plain(mask, wide),
    )
    pointers.add(*(_plain(state, wide) for state in operands.states))
    pointers.add(*(operands.zoneout or [None] * len(operands.states)))
    return pointers


def _with_plain_masks(operands: Operands) -> Operands:
    """Zoneout's shares in the dtype of the states; what is not 1 in their last axis is contiguous there."""
    if not operands.zoneout:
        return operands
    wide = state_dtype(operands.dtype)
    masks = [operands.masks[0], *(mask.to(wide).contiguous() for mask in operands.masks[1:])]
    return Operands(
        operands.spec,
        operands.x,
        operands.states,
        operands.weights,
        operands.lengths,
        operands.resets,
        masks,
        operands.reverse,
    )


# --- forward and backward ---


def run_forward(
    operands: Operands,
    saved: Tensor | None,
    checkpoints: Tensor | None = None,
    checkpoint_every: int = 0,
    preactivations: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """y `[T, B, H]` (or P) and the final states.

    `saved`, `checkpoints` and `preactivations` `[T, B, G·H]` are filled where they are given.
    """
    assert core is not None
    operands = _with_plain_masks(operands)
    x, states = operands.x, operands.states
    y = room_for((x.shape[0], x.shape[1], states[0].shape[-1]), operands.dtype)
    wide = state_dtype(operands.dtype)
    finals = [torch.empty(state.shape, dtype=wide) for state in states]
    pointers = _inputs(operands)
    pointers.add(y, saved, checkpoints, preactivations, *finals)
    core.forward(chosen(), cell_numbers(operands.spec.code), _sizes(operands, checkpoint_every), pointers.numbers)
    return y, tuple(final.to(state.dtype) for final, state in zip(finals, states, strict=True))


def room_for(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A new tensor; a large one comes from the memory that calls keep, and goes back there."""
    assert core is not None
    size = prod(shape) * dtype.itemsize
    if size < KEPT_FROM or torch.are_deterministic_algorithms_enabled():  # whose mode fills fresh memory with NaN
        return torch.empty(shape, dtype=dtype)
    return torch.from_dlpack(core.room(size)).view(dtype).view(shape)


def new_saved(operands: Operands) -> Tensor:
    """Room for what the backward of these operands needs."""
    spec, x, states = operands.spec, operands.x, operands.states
    hidden = operands.weights[0].shape[0] // len(spec.gates)
    width = saved_width(spec, hidden, states[0].shape[-1] if spec.projected else 0, operands.dtype)
    return room_for((x.shape[0], x.shape[1], width), state_dtype(operands.dtype))


def forward(operands: Operands, save: bool) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """y `[T, B, H]` (or P) in x's dtype, the final states, and what the backward needs (empty unless `save`)."""
    saved = new_saved(operands) if save else None
    y, finals = run_forward(operands, saved)
    return y, finals, y.new_empty(0) if saved is None else saved


@dataclass(frozen=True, eq=False)
class Shown:
    """What a backward leaves for a trace, in the dtype of the states: gradients of h_t `[T, B, H]` (or P), of an LSTM's
    c_t `[T, B, H]`, both unwritten past a row's end, and of the pre-activations before they are normalised
    `[T, B, G·H]`.
    """

    dhidden: Tensor
    dcell: Tensor | None
    dz: Tensor

    @staticmethod
    def room(operands: Operands) -> "Shown":
        """For the steps of `operands`."""
        wide, sizes = state_dtype(operands.dtype), [state.shape[-1] for state in operands.states]
        steps, batch = operands.x.shape[:2]
        cell = operands.spec.family == "lstm"
        return Shown(
            room_for((steps, batch, sizes[0]), wide),
            room_for((steps, batch, sizes[1]), wide) if cell else None,
            room_for((steps, batch, operands.weights[0].shape[0]), wide),
        )


def run_backward(
    operands: Operands,
    grads: Sequence[Tensor],
    y: Tensor,
    saved: Tensor,
    dx: Tensor | None,
    dweights: Sequence[Tensor],
    shown: Shown | None = None,
) -> list[Tensor]:
    """Fills dx and what is `shown`, adds to `dweights` (in the dtype of the states; maybe none), returns the initial
    states' gradients.
    """
    assert core is not None
    operands = _with_plain_masks(operands)
    states, wide = operands.states, state_dtype(operands.dtype)
    dstates = [torch.empty(state.shape, dtype=wide) for state in states]
    named = dict(zip(operands.spec.parameter_names(), dweights, strict=bool(dweights)))
    pointers = _inputs(operands)
    pointers.add(y.contiguous(), saved, _plain(grads[0], operands.dtype), dx)
    table = named.pop("weight_ih", None) if operands.symbols else None
    pointers.add(None if table is None else table.t())  # a table's rows are the weight's columns
    pointers.add(*(named.get(name) for name in WEIGHTS))
    pointers.add(*(_plain(grad, wide) for grad in grads[1:]))
    pointers.add(*dstates)
    pointers.add(*((shown.dhidden, shown.dcell, shown.dz) if shown is not None else (None, None, None)))
    core.backward(chosen(), cell_numbers(operands.spec.code), _sizes(operands, 0), pointers.numbers)
    return [grad.to(state.dtype) for grad, state in zip(dstates, states, strict=True)]


def backward(
    operands: Operands,
    grads: Sequence[Tensor],
    y: Tensor,
    finals: Sequence[Tensor],
    saved: Tensor,
    wants_x: bool = True,
    wants_weights: bool = True,
    shown: Shown | None = None,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Gradients of x, of each initial state and of each weight; those of x or weights are left out if not wanted."""
    dx, sums = new_gradients(operands, wants_x, wants_weights)
    dstates = run_backward(operands, grads, y, saved, dx, sums, shown)
    return finished(operands, dx, dstates, sums)


def new_gradients(operands: Operands, wants_x: bool, wants_weights: bool) -> tuple[Tensor | None, list[Tensor]]:
    """Room for the gradient of x, none for symbols, and zeros for those of the weights, in the dtype of the states."""
    wide, symbols = state_dtype(operands.dtype), operands.symbols
    sums = [torch.zeros(weight.shape, dtype=wide) for weight in operands.weights] if wants_weights else []
    if symbols and sums:
        sums[0] = torch.zeros(*operands.weights[0].shape[::-1], dtype=wide).t()
    return room_for(operands.x.shape, operands.x.dtype) if wants_x and not symbols else None, sums


def finished(
    operands: Operands, dx: Tensor | None, dstates: list[Tensor], sums: list[Tensor]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """The gradients as the operator gives them."""
    if operands.symbols and sums:
        sums[0] = sums[0].contiguous()
    dweights = [total.to(weight.dtype) for total, weight in zip(sums, operands.weights, strict=bool(sums))]
    return torch.empty(0, dtype=operands.dtype) if dx is None else dx, dstates, dweights
