"""The compiled kernels with less memory: the forward keeps states now and then, and the backward runs it again.

Saved: the states that every `STEPS`-th step starts from. The backward walks over these segments from the last, computes
a segment's forward anew with everything saved, and goes back over it, for a third more work. Gradients of x and states
are the same bits as without; those of weights are the same sums, taken segment by segment.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from peephole._native.layer import Shown, finished, new_gradients, new_saved, run_backward, run_forward
from peephole._native.layer import refusal as refusal
from peephole.operands import Operands, state_dtype

STEPS = 32  # long enough for products of a good size, short enough that a segment stays in the cache


def saved_shape(steps: int, batch: int, states: Sequence[int]) -> tuple[int, int, int]:
    """Of the states that are kept, `[segments, B, sum of units]`."""
    return (steps + STEPS - 1) // STEPS, batch, sum(states)


def forward(operands: Operands, save: bool) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """y `[T, B, H]` (or P), the final states, and the states that segments start from (empty unless `save`)."""
    x = operands.x
    if not save:
        y, finals = run_forward(operands, None)
        return y, finals, y.new_empty(0)
    shape = saved_shape(x.shape[0], x.shape[1], [state.shape[-1] for state in operands.states])
    checkpoints = torch.empty(shape, dtype=state_dtype(operands.dtype))
    return *run_forward(operands, None, checkpoints, STEPS), checkpoints


def segment(operands: Operands, saved: Tensor, number: int) -> tuple[int, Operands]:
    """A segment, counted along the walk: its first step in time, and its operands by themselves."""
    steps, batch = operands.x.shape[:2]
    begin, end = number * STEPS, min((number + 1) * STEPS, steps)  # of the walk
    start, stop = (steps - end, steps - begin) if operands.reverse else (begin, end)
    states = _states(saved[number], [state.shape[-1] for state in operands.states], batch)
    return start, _piece(operands, start, stop, states, number == 0)


def backward(
    operands: Operands,
    grads: Sequence[Tensor],
    y: Tensor,
    finals: Sequence[Tensor],
    saved: Tensor,
    wants_x: bool = True,
    wants_weights: bool = True,
    show: Callable[[int, Operands, Tensor, Tensor, Shown], None] | None = None,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Gradients of x, of each initial state and of each weight; those of x or weights are left out if not wanted.

    `show` gets, segment by segment, its first step, operands, y, what was saved of it, and what its backward shows.
    """
    dx, sums = new_gradients(operands, wants_x, wants_weights)
    carried = list(grads[1:])
    for number in reversed(range(saved.shape[0])):
        start, piece = segment(operands, saved, number)
        stop = start + piece.x.shape[0]
        room, shown = new_saved(piece), None if show is None else Shown.room(piece)
        run_forward(piece, room)
        part = None if dx is None else dx[start:stop]
        dy = grads[0][start:stop]
        carried = run_backward(piece, [dy, *carried], y[start:stop], room, part, sums, shown)
        if show is not None and shown is not None:
            show(start, piece, y[start:stop], room, shown)
        if number and operands.resets is not None:
            carried = _cut(carried, operands, start, stop)
    dstates = [grad.to(state.dtype) for grad, state in zip(carried, operands.states, strict=True)]
    return finished(operands, dx, dstates, sums)


def _states(kept: Tensor, sizes: Sequence[int], batch: int) -> list[Tensor]:
    """The states of one segment: they lie one after the other, `[B, units]` each."""
    parts = kept.flatten().split([batch * size for size in sizes])
    return [part.view(batch, size) for part, size in zip(parts, sizes, strict=True)]


def _piece(operands: Operands, start: int, stop: int, states: list[Tensor], first: bool) -> Operands:
    """Steps start … stop - 1 with their own initial states, which borders have already cut."""
    resets = operands.resets
    if resets is not None:
        resets = resets[start:stop]
        if operands.lengths is not None:  # a border counts within a row's length, of which the piece knows its part
            resets = resets & (torch.arange(start, stop)[:, None] < operands.lengths)
    return replace(
        operands,
        x=operands.x[start:stop],
        states=states,
        lengths=None if operands.lengths is None else (operands.lengths - start).clamp(0, stop - start),
        resets=resets,
        masks=[*operands.masks[:1], *(mask if mask.shape[0] <= 1 else mask[start:stop] for mask in operands.masks[1:])],
    )


def _cut(carried: list[Tensor], operands: Operands, start: int, stop: int) -> list[Tensor]:
    """No gradient crosses the border with which the segment before ended."""
    border = stop if operands.reverse else start
    borders = operands.borders
    assert borders is not None
    return [grad.masked_fill(borders[border, :, None], 0.0) for grad in carried]
