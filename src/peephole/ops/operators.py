"""The operators `peephole::rnn`, `peephole::lstm`, `peephole::gru` and their backwards.

One pair a family, one layer and direction a call:

    family(x, states, weights, lengths?, resets?, masks, spec, kernel, reverse, save) -> (y, final states, saved)

The forward's autograd is the backward operator; the backward operator's autograd is the reference, so that second
derivatives are right whichever kernel ran. Both have a fake, so that `torch.compile(fullgraph=True)` traces training.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from peephole._native import layer, recomputing
from peephole._torch import stepwise
from peephole.operands import Operands, state_dtype
from peephole.ops import equations
from peephole.ops.support import KERNELS
from peephole.spec import BUILT_IN, parse_spec

_library = torch.library.Library("peephole", "DEF")

_FORWARD_SCHEMA = (
    "{family}(Tensor x, Tensor[] states, Tensor[] weights, Tensor? lengths, Tensor? resets, "
    "Tensor[] masks, str spec, str kernel, bool reverse, bool save) -> (Tensor, Tensor[], Tensor)"
)
_BACKWARD_SCHEMA = (
    "{family}_backward(Tensor[] grads, Tensor x, Tensor[] states, Tensor[] weights, Tensor? lengths, Tensor? resets, "
    "Tensor[] masks, Tensor y, Tensor[] finals, Tensor saved, str spec, str kernel, bool reverse) "
    "-> (Tensor, Tensor[], Tensor[])"
)


class NoAutocast:
    """Operands were cast at the edge (`functional`); inside a kernel nothing is cast again."""

    def __init__(self, device: str) -> None:
        active = device != "meta" and torch.is_autocast_enabled(device)
        self.guard = torch.autocast(device, enabled=False) if active else None

    def __enter__(self) -> None:
        if self.guard is not None:
            self.guard.__enter__()

    def __exit__(self, *exception: Any) -> None:
        if self.guard is not None:
            self.guard.__exit__(*exception)


def _forward(
    x: Tensor,
    states: list[Tensor],
    weights: list[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    masks: list[Tensor],
    spec: str,
    kernel: str,
    reverse: bool,
    save: bool,
) -> tuple[Tensor, list[Tensor], Tensor]:
    operands = Operands(parse_spec(spec), x, states, weights, lengths, resets, masks, reverse)
    with NoAutocast(x.device.type):
        y, finals, saved = KERNELS[kernel].forward(operands, save)
    return y, list(finals), saved


def _forward_fake(
    x: Tensor,
    states: list[Tensor],
    weights: list[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    masks: list[Tensor],
    spec: str,
    kernel: str,
    reverse: bool,
    save: bool,
) -> tuple[Tensor, list[Tensor], Tensor]:
    cell = parse_spec(spec)
    steps, batch = x.shape[:2]
    dtype = Operands(cell, x, states, weights).dtype
    y = x.new_empty(steps, batch, states[0].shape[-1], dtype=dtype)
    finals = [torch.empty_like(state, memory_format=torch.contiguous_format) for state in states]
    if kernel == "reference":
        saved = y.new_empty(0)
    elif not save and kernel in ("native", "recomputing", "stepwise"):
        saved = x.new_empty(0, dtype=state_dtype(dtype) if kernel == "stepwise" else dtype)
    elif kernel == "recomputing":
        shape = recomputing.saved_shape(steps, batch, [state.shape[-1] for state in states])
        saved = x.new_empty(shape, dtype=state_dtype(dtype))
    elif kernel in ("native", "stepwise"):
        hidden, projection = weights[0].shape[0] // len(cell.gates), states[0].shape[-1] if cell.projected else 0
        if kernel == "native":
            width = layer.saved_width(cell, hidden, projection, dtype)
        else:
            width = stepwise.saved_width(cell, hidden, projection)
        saved = x.new_empty((steps, batch, width), dtype=state_dtype(dtype))
    else:  # a library's workspace, whose size the library alone knows
        saved = x.new_empty(torch.library.get_ctx().new_dynamic_size(), dtype=torch.uint8)
    return y, finals, saved


def _backward(
    grads: list[Tensor],
    x: Tensor,
    states: list[Tensor],
    weights: list[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    masks: list[Tensor],
    y: Tensor,
    finals: list[Tensor],
    saved: Tensor,
    spec: str,
    kernel: str,
    reverse: bool,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    operands = Operands(parse_spec(spec), x, states, weights, lengths, resets, masks, reverse)
    with NoAutocast(x.device.type):
        return KERNELS[kernel].backward(operands, grads, y, finals, saved)


def _backward_fake(
    grads: list[Tensor], x: Tensor, states: list[Tensor], weights: list[Tensor], *rest: Any
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    def like(tensor: Tensor) -> Tensor:
        return torch.empty_like(tensor, memory_format=torch.contiguous_format)

    dx = like(x) if x.is_floating_point() else weights[0].new_empty(0)
    return dx, [like(state) for state in states], [like(weight) for weight in weights]


def _remember_forward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, list[Tensor], Tensor]) -> None:
    x, states, weights, lengths, resets, masks, spec, kernel, reverse, _ = inputs
    y, finals, saved = output
    ctx.set_materialize_grads(False)  # zeros for `saved` would cost more than the kernel
    ctx.counts = len(states), len(weights), len(masks)
    ctx.static = spec, kernel, reverse
    ctx.save_for_backward(x, lengths, resets, y, saved, *states, *weights, *masks, *finals)


def _forward_autograd(backward: Callable[..., Any]) -> Callable[..., Any]:
    def run(ctx: Any, dy: Tensor | None, dfinals: list[Tensor | None] | None, _: Tensor | None) -> tuple[Any, ...]:
        x, lengths, resets, y, saved, *rest = ctx.saved_tensors
        states, weights, masks, finals = parted(rest, ctx.counts)
        given = given_gradients((dy, *(dfinals or [None] * len(finals))), (y, *finals))
        dx, dstates, dweights = backward(
            given, x, states, weights, lengths, resets, masks, y, finals, saved, *ctx.static
        )
        return (
            (dx if x.is_floating_point() else None),
            dstates,
            dweights,
            None,
            None,
            [None] * len(masks),
            None,
            None,
            None,
            None,
        )

    return run


def given_gradients(upstream: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> list[Tensor]:
    """Zeros where no gradient came."""
    return [torch.zeros_like(output) if grad is None else grad for grad, output in zip(upstream, outputs, strict=True)]


def parted(tensors: Sequence[Tensor], counts: Sequence[int]) -> list[list[Tensor]]:
    """The tensors in groups of `counts` and the rest."""
    groups, start = [], 0
    for count in counts:
        groups.append(list(tensors[start : start + count]))
        start += count
    return [*groups, list(tensors[start:])]


def _remember_backward(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    grads, x, states, weights, lengths, resets, masks, _, _, _, spec, _, reverse = inputs
    ctx.counts = len(masks), len(grads), len(states)
    ctx.static = parse_spec(spec), reverse
    ctx.save_for_backward(x, lengths, resets, *masks, *grads, *states, *weights)


def _backward_autograd(ctx: Any, ddx: Tensor, ddstates: list[Tensor], ddweights: list[Tensor]) -> tuple[Any, ...]:
    """Second derivatives, through the reference: y, finals and saved depend on x, states and weights only."""
    x, lengths, resets, *rest = ctx.saved_tensors
    masks, grads, states, weights = parted(rest, ctx.counts)
    spec, reverse = ctx.static
    deeper = torch.is_grad_enabled()  # someone differentiates this once more
    with torch.enable_grad():
        leaves = [
            tensor.view_as(tensor) if deeper and tensor.requires_grad else tensor.detach().requires_grad_()
            for tensor in (*grads, *states, *weights, *([x] if x.is_floating_point() else []))
        ]
        vectors = x.is_floating_point()
        grads, states, weights, given_x = parted(leaves, (len(grads), len(states), len(weights)))
        x = given_x[0] if vectors else x
        operands = Operands(spec, x, states, weights, lengths, resets, masks, reverse)
        first = equations.gradients(operands, grads, create_graph=True)
        given = [
            (one, upstream)
            for one, upstream in zip(first, (ddx, *ddstates, *ddweights), strict=True)
            if one.requires_grad and upstream is not None
        ]
        second = torch.autograd.grad(
            [one for one, _ in given],
            leaves,
            [upstream for _, upstream in given],
            allow_unused=True,
            create_graph=deeper,
        )
    second = [torch.zeros_like(leaf) if grad is None else grad for grad, leaf in zip(second, leaves, strict=True)]
    dgrads, dstates, dweights, dx = parted(second, (len(grads), len(states), len(weights)))
    no_masks, no_finals = [None] * len(masks), [None] * len(states)
    return (
        dgrads,
        (dx[0] if vectors else None),
        dstates,
        dweights,
        None,
        None,
        no_masks,
        None,
        no_finals,
        None,
        None,
        None,
        None,
    )


def define_operators(family: str) -> None:
    """Make the operator pair of a cell family; nothing happens where it is there."""
    if family in OPERATORS:
        return
    _library.define(_FORWARD_SCHEMA.format(family=family))
    _library.define(_BACKWARD_SCHEMA.format(family=family))
    _library.impl(family, _forward, "CompositeExplicitAutograd")
    _library.impl(f"{family}_backward", _backward, "CompositeExplicitAutograd")
    forward_name, backward_name = f"peephole::{family}", f"peephole::{family}_backward"
    torch.library.register_fake(forward_name, _forward_fake, lib=_library)
    torch.library.register_fake(backward_name, _backward_fake, lib=_library)
    backward = getattr(torch.ops.peephole, f"{family}_backward").default
    torch.library.register_autograd(
        forward_name, _forward_autograd(backward), setup_context=_remember_forward, lib=_library
    )
    torch.library.register_autograd(backward_name, _backward_autograd, setup_context=_remember_backward, lib=_library)
    OPERATORS[family] = getattr(torch.ops.peephole, family).default
    BACKWARDS[family] = backward


OPERATORS: dict[str, Callable[..., tuple[Tensor, list[Tensor], Tensor]]] = {}
BACKWARDS: dict[str, Callable[..., tuple[Tensor, list[Tensor], list[Tensor]]]] = {}
for _family in BUILT_IN:
    define_operators(_family)
