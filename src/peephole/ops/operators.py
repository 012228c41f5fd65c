"""The operators `peephole::rnn`, `peephole::lstm`, `peephole::gru` and their backwards.

One pair a family, one layer and direction a call:

    family(x, states, weights, lengths?, resets?, spec, kernel, reverse, save) -> (y, a final state each, saved)

The forward's autograd is the backward operator; the backward operator's autograd is the reference, so that second
derivatives are right whichever kernel ran. Both have a fake, so that `torch.compile(fullgraph=True)` traces training.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from peephole import reference
from peephole._torch import stepwise
from peephole.ops.support import KERNELS
from peephole.spec import STATES, CellSpec, parse_spec

_library = torch.library.Library("peephole", "DEF")

_FORWARD_SCHEMA = (
    "{family}(Tensor x, Tensor[] states, Tensor[] weights, Tensor? lengths, Tensor? resets, "
    "str spec, str kernel, bool reverse, bool save) -> ({results})"
)
_BACKWARD_SCHEMA = (
    "{family}_backward(Tensor[] grads, Tensor x, Tensor[] states, Tensor[] weights, Tensor? lengths, Tensor? resets, "
    "Tensor y, Tensor[] finals, Tensor saved, str spec, str kernel, bool reverse) -> (Tensor, Tensor[], Tensor[])"
)


class _NoAutocast:
    """Operands were cast at the edge (`functional`); inside a kernel nothing is cast again."""

    def __init__(self, device: str) -> None:
        self.guard = torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else None

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
    spec: str,
    kernel: str,
    reverse: bool,
    save: bool,
) -> tuple[Tensor, ...]:
    with _NoAutocast(x.device.type):
        y, finals, saved = KERNELS[kernel].forward(parse_spec(spec), x, states, weights, lengths, resets, reverse, save)
    return (y, *finals, saved)


def _forward_fake(
    x: Tensor,
    states: list[Tensor],
    weights: list[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    spec: str,
    kernel: str,
    reverse: bool,
    save: bool,
) -> tuple[Tensor, ...]:
    cell = parse_spec(spec)
    steps, batch = x.shape[:2]
    y = x.new_empty(steps, batch, states[0].shape[-1])
    finals = [torch.empty_like(state, memory_format=torch.contiguous_format) for state in states]
    if kernel == "stepwise":
        hidden = weights[0].shape[0] // len(cell.gates)
        width = stepwise.saved_width(cell, hidden, states[0].shape[-1] if cell.projected else 0)
        dtype = stepwise.state_dtype(x.dtype)
        saved = x.new_empty((steps, batch, width) if save else (0,), dtype=dtype)
    else:  # a library's workspace, whose size the library alone knows
        saved = x.new_empty(torch.library.get_ctx().new_dynamic_size(), dtype=torch.uint8)
    return (y, *finals, saved)


def _backward(
    grads: list[Tensor],
    x: Tensor,
    states: list[Tensor],
    weights: list[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    y: Tensor,
    finals: list[Tensor],
    saved: Tensor,
    spec: str,
    kernel: str,
    reverse: bool,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    with _NoAutocast(x.device.type):
        return KERNELS[kernel].backward(
            parse_spec(spec), grads, x, states, weights, lengths, resets, y, finals, saved, reverse
        )


def _backward_fake(
    grads: list[Tensor], x: Tensor, states: list[Tensor], weights: list[Tensor], *rest: Any
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    def like(tensor: Tensor) -> Tensor:
        return torch.empty_like(tensor, memory_format=torch.contiguous_format)

    return like(x), [like(state) for state in states], [like(weight) for weight in weights]


def _remember_forward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, states, weights, lengths, resets, spec, kernel, reverse, _ = inputs
    y, *finals, saved = output
    ctx.set_materialize_grads(False)  # zeros for `saved` would cost more than the kernel
    ctx.counts = len(states), len(weights)
    ctx.static = spec, kernel, reverse
    ctx.save_for_backward(x, lengths, resets, y, saved, *states, *weights, *finals)


def _forward_autograd(backward: Callable[..., Any]) -> Callable[..., Any]:
    def run(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        x, lengths, resets, y, saved, *rest = ctx.saved_tensors
        n_states, n_weights = ctx.counts
        states, weights, finals = rest[:n_states], rest[n_states : n_states + n_weights], rest[n_states + n_weights :]
        given = [
            torch.zeros_like(output) if grad is None else grad
            for grad, output in zip(grads[:-1], (y, *finals), strict=True)
        ]
        dx, dstates, dweights = backward(given, x, states, weights, lengths, resets, y, finals, saved, *ctx.static)
        return dx, dstates, dweights, None, None, None, None, None, None

    return run


def _remember_backward(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    grads, x, states, weights, lengths, resets, _, _, _, spec, _, reverse = inputs
    ctx.counts = len(grads), len(states)
    ctx.static = parse_spec(spec), reverse
    ctx.save_for_backward(x, lengths, resets, *grads, *states, *weights)


def _backward_autograd(ctx: Any, ddx: Tensor, ddstates: list[Tensor], ddweights: list[Tensor]) -> tuple[Any, ...]:
    """Second derivatives, through the reference: y, finals and saved depend on x, states and weights only."""
    x, lengths, resets, *rest = ctx.saved_tensors
    n_grads, n_states = ctx.counts
    spec, reverse = ctx.static
    deeper = torch.is_grad_enabled()  # someone differentiates this once more
    with torch.enable_grad():
        leaves = [
            tensor.view_as(tensor) if deeper and tensor.requires_grad else tensor.detach().requires_grad_()
            for tensor in (*rest[:n_grads], x, *rest[n_grads:])
        ]
        grads, inputs = leaves[:n_grads], leaves[n_grads:]
        first = _reference_gradients(spec, grads, inputs, n_states, lengths, resets, reverse)
        second = torch.autograd.grad(
            first, leaves, [ddx, *ddstates, *ddweights], allow_unused=True, create_graph=deeper
        )
    second = [torch.zeros_like(leaf) if grad is None else grad for grad, leaf in zip(second, leaves, strict=True)]
    dgrads, dx, dstates = second[:n_grads], second[n_grads], second[n_grads + 1 : n_grads + 1 + n_states]
    dweights, no_finals = second[n_grads + 1 + n_states :], [None] * n_states
    return dgrads, dx, dstates, dweights, None, None, None, no_finals, None, None, None, None


def _reference_gradients(
    spec: CellSpec,
    grads: Sequence[Tensor],
    inputs: Sequence[Tensor],
    n_states: int,
    lengths: Tensor | None,
    resets: Tensor | None,
    reverse: bool,
) -> Sequence[Tensor]:
    x, states, weights = inputs[0], inputs[1 : 1 + n_states], inputs[1 + n_states :]
    wide = stepwise.state_dtype(x.dtype)
    y, finals = reference.run(
        spec, x.to(wide), states, [weight.to(wide) for weight in weights], lengths, resets, reverse
    )
    return torch.autograd.grad([y.to(x.dtype), *finals], inputs, grads, create_graph=True)


def _define(family: str) -> Callable[..., tuple[Tensor, ...]]:
    results = ", ".join(["Tensor"] * (len(STATES[family]) + 2))
    _library.define(_FORWARD_SCHEMA.format(family=family, results=results))
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
    return getattr(torch.ops.peephole, family).default


OPERATORS = {family: _define(family) for family in STATES}
