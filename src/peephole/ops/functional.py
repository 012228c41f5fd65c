"""`run_layer`: one layer, one direction, one call, on whichever back end serves it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from peephole.operands import Operands, state_dtype
from peephole.ops import straight
from peephole.ops.checks import check_operands
from peephole.ops.operators import OPERATORS
from peephole.ops.support import choose_kernel
from peephole.ops.tracing import Record, beside
from peephole.ops.tracing.beside import Change
from peephole.ops.tracing.record import Piece
from peephole.spec import CellSpec

STEPS_PER_CUT = 16  # a library kernel's call costs about as much as this many single steps


def run_layer(
    spec: CellSpec,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    *,
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
    masks: Sequence[Tensor] = (),
    fresh: Sequence[Tensor] | None = None,
    reverse: bool = False,
    backend: str = "auto",
    recompute: bool = False,
    record: Record | None = None,
    change: Change | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction.

    x `[T, B, I]`, or int64 symbols `[T, B]` in place of one-hot vectors; states each `[B, ·]` as `spec.states` names
    them; weights as `spec.parameter_names()` orders them; `lengths` int64 `[B]`; `resets` bool `[T, B]`; `masks` as in
    `Operands` (see `reference.run` for their meaning). A reset starts from zero, or from `fresh`, `[·]` for each state.
    Under autocast operands are cast to its dtype and states stay float32. With `recompute` states alone are saved, and
    the backward computes the rest again. A `record` is filled with what happens inside; `change`, (t, name, value) to
    value, may replace what the steps make (`reference.passing`), and then the equations run. Returns y `[T, B, H]` (or
    P) and the final states.
    """
    device = x.device.type
    # Autocast leaves float64 alone everywhere, and does not know tensors without numbers.
    if device != "meta" and x.dtype != torch.float64 and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        x = x.to(dtype) if x.is_floating_point() else x
        weights = [weight.to(dtype) for weight in weights]
    operands = Operands(spec, x, list(states), list(weights), lengths, resets, list(masks), reverse)
    operands = replace(operands, states=[state.to(state_dtype(operands.dtype)) for state in states])
    check_operands(operands)
    piece = None if record is None else record.piece(0, x.shape[0])
    if operands.borders is not None and fresh is not None:
        return _run_pieces(operands, _cuts(operands.borders, reverse), fresh, backend, recompute, piece, change)
    if resets is not None and lengths is None and not masks and change is None and not torch.compiler.is_compiling():
        cuts = _cuts(resets, reverse)
        if len(cuts) * STEPS_PER_CUT <= x.shape[0]:
            whole = choose_kernel(
                backend, spec.code, device, operands.dtype, False, x.shape[1] == 0, False, False, recompute
            )
            if whole in ("onednn", "cudnn"):
                return _run_pieces(operands, cuts, None, backend, recompute, piece, None)
    return _run_whole(operands, backend, recompute, piece, change)


def _run_whole(
    operands: Operands, backend: str, recompute: bool, piece: Piece | None, change: Change | None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    if change is not None:
        return beside.run(operands, change, piece)
    spec, x = operands.spec, operands.x
    one = empty = False
    if x.shape[0] == 1:  # a branch, so that a compiler guards on it where the size is symbolic
        one = True
    if x.shape[1] == 0:
        empty = True
    masked = operands.lengths is not None or operands.resets is not None
    noisy = operands.recurrent_mask is not None or bool(operands.zoneout)
    kernel = choose_kernel(
        backend, spec.code, x.device.type, operands.dtype, one, empty, masked, noisy, recompute, operands.symbols
    )
    if kernel == "reference" and not recompute and not torch.compiler.is_compiling():
        return beside.run(operands, None, piece)
    states, weights = list(operands.states), list(operands.weights)
    save = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *states, *weights))
    if piece is not None or straight.goes_straight(operands, kernel):
        return straight.run(operands, kernel, save, piece)
    y, finals, _ = OPERATORS[spec.family](
        x,
        states,
        weights,
        operands.lengths,
        operands.resets,
        list(operands.masks),
        spec.code,
        kernel,
        operands.reverse,
        save,
    )
    return y, tuple(finals)


def _cuts(resets: Tensor, reverse: bool) -> list[int]:
    """Steps before which some row starts anew; a border before the first step matters to the forward direction only.

    A compiler cannot look at values: there any step may be one.
    """
    if torch.compiler.is_compiling():
        return list(range(1 if reverse else 0, resets.shape[0]))
    cuts: list[int] = resets.any(1).nonzero()[:, 0].tolist()
    return [cut for cut in cuts if cut > 0 or not reverse]


def _run_pieces(
    operands: Operands,
    cuts: list[int],
    fresh: Sequence[Tensor] | None,
    backend: str,
    recompute: bool,
    piece: Piece | None,
    change: Change | None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The sequence in pieces between the steps at which some row starts anew.

    Whole-sequence kernels stay usable so, and a row can start from something else than zero.
    """
    x, resets, lengths = operands.x, operands.borders, operands.lengths
    assert resets is not None
    borders = sorted({0, *cuts, x.shape[0]})
    pieces = list(pairwise(borders))
    beginnings = fresh or [state.new_zeros(state.shape[-1]) for state in operands.states]
    current = tuple(operands.states)
    outputs: list[Tensor] = []
    for start, end in reversed(pieces) if operands.reverse else pieces:
        border = end if operands.reverse else start
        if border in cuts:
            anew = resets[border, :, None]
            current = tuple(
                torch.where(anew, beginning.to(state.dtype), state)
                for beginning, state in zip(beginnings, current, strict=True)
            )
        part = replace(
            operands,
            x=x[start:end],
            states=current,
            lengths=None if lengths is None else (lengths - start).clamp(0, end - start),
            resets=None,
            masks=[*operands.masks[:1], *(_steps(mask, start, end) for mask in operands.masks[1:])],
        )
        within = None if piece is None else piece.piece(start, end)
        y, current = _run_whole(part, backend, recompute, within, None if change is None else _later(change, start))
        outputs.append(y)
    return torch.cat(outputs[::-1] if operands.reverse else outputs), current


def _later(change: Change, start: int) -> Change:
    """The same for a piece that begins at step `start`."""
    return lambda t, name, value: change(start + t, name, value)


def _steps(mask: Tensor, start: int, end: int) -> Tensor:
    """The steps start … end - 1 of a mask that has one for each, or the mask that is the same for all."""
    return mask if mask.shape[0] <= 1 else mask[start:end]
