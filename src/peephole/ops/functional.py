"""`run_layer`: one layer, one direction, one call, on whichever back end serves it."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from peephole import reference
from peephole._torch.stepwise import state_dtype
from peephole.ops.checks import check_layer
from peephole.ops.operators import OPERATORS
from peephole.ops.support import choose_kernel
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
    reverse: bool = False,
    backend: str = "auto",
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction.

    x `[T, B, I]`; states each `[B, ·]` as `spec.states` names them; weights as `spec.parameter_names()` orders them;
    `lengths` int64 `[B]`; `resets` bool `[T, B]` (see `reference.run` for their meaning). Under autocast operands are
    cast to its dtype and states stay float32. Returns y `[T, B, H]` (or P) and the final states.
    """
    device = x.device.type
    if torch.is_autocast_enabled(device) and x.dtype != torch.float64:  # which autocast leaves alone everywhere
        dtype = torch.get_autocast_dtype(device)
        x, weights = x.to(dtype), [weight.to(dtype) for weight in weights]
    states = [state.to(state_dtype(x.dtype)) for state in states]
    check_layer(spec, x, states, weights, lengths, resets)
    masked = lengths is not None or resets is not None
    if resets is not None and lengths is None and not torch.compiler.is_compiling():
        cuts = _cuts(resets, reverse)
        if len(cuts) * STEPS_PER_CUT <= x.shape[0]:
            whole = choose_kernel(backend, spec.code, device, x.dtype, False, x.shape[1] == 0, False)
            if whole in ("onednn", "cudnn"):
                return _run_pieces(spec, x, states, weights, resets, cuts, reverse, backend)
    one = empty = False
    if x.shape[0] == 1:  # a branch, so that a compiler guards on it where the size is symbolic
        one = True
    if x.shape[1] == 0:
        empty = True
    kernel = choose_kernel(backend, spec.code, device, x.dtype, one, empty, masked)
    if kernel == "reference":
        wide = state_dtype(x.dtype)
        weights = [weight.to(wide) for weight in weights]
        y, finals = reference.run(spec, x.to(wide), states, weights, lengths, resets, reverse)
        return y.to(x.dtype), finals
    save = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *states, *weights))
    y, *finals, _ = OPERATORS[spec.family](
        x, list(states), list(weights), lengths, resets, spec.code, kernel, reverse, save
    )
    return y, tuple(finals)


def _cuts(resets: Tensor, reverse: bool) -> list[int]:
    """Steps before which some row starts anew; a border before the first step matters to the forward direction only."""
    cuts: list[int] = resets.any(1).nonzero()[:, 0].tolist()
    return [cut for cut in cuts if cut > 0 or not reverse]


def _run_pieces(
    spec: CellSpec,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    resets: Tensor,
    cuts: list[int],
    reverse: bool,
    backend: str,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The sequence in pieces between the steps at which some row starts anew: whole-sequence kernels stay usable."""
    borders = sorted({0, *cuts, x.shape[0]})
    pieces = list(pairwise(borders))
    current = tuple(states)
    outputs: list[Tensor] = []
    for start, end in reversed(pieces) if reverse else pieces:
        border = end if reverse else start
        if border in cuts:
            current = tuple(state.masked_fill(resets[border, :, None], 0.0) for state in current)
        y, current = run_layer(spec, x[start:end], current, weights, reverse=reverse, backend=backend)
        outputs.append(y)
    return torch.cat(outputs[::-1] if reverse else outputs), current
