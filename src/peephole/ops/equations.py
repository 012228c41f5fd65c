"""The reference as a kernel: forward without a graph, backward by running the equations again under autograd.

Uncompiled code differentiates the reference directly; a compiled graph calls this, so that it need not hold every
step of the loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from peephole import reference
from peephole.operands import Call, Operands, state_dtype


def refusal(call: Call) -> str | None:
    """Never: the reference runs whatever is a cell."""
    return None


def run(
    operands: Operands, passing: Callable[[int, str, Tensor], Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """`reference.run` with operands of any floating dtype; states and arithmetic as `state_dtype` says."""
    x, wide = operands.x, state_dtype(operands.dtype)
    y, finals = reference.run(
        operands.spec,
        x if operands.symbols else x.to(wide),
        operands.states,
        [weight.to(wide) for weight in operands.weights],
        operands.lengths,
        operands.resets,
        operands.reverse,
        operands.recurrent_mask,
        operands.zoneout,
        passing,
    )
    return y.to(operands.dtype), finals


def gradients(operands: Operands, grads: Sequence[Tensor], create_graph: bool = False) -> tuple[Tensor, ...]:
    """Of x, each state and each weight, which must all require them; zeros where nothing depends on one.

    Symbols have none: theirs is empty.
    """
    y, finals = run(operands)
    vectors = [] if operands.symbols else [operands.x]
    inputs = [*vectors, *operands.states, *operands.weights]
    found = torch.autograd.grad(
        [y, *finals], inputs, grads, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    return found if vectors else (y.new_empty(0), *found)


def forward(operands: Operands, save: bool) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """y, the final states, and nothing saved."""
    y, finals = run(operands)
    # A final state may be an initial one (taps), and an operator's outputs may not alias its inputs.
    return y, tuple(final.clone() for final in finals), y.new_empty(0)


def backward(
    operands: Operands, grads: Sequence[Tensor], y: Tensor, finals: Sequence[Tensor], saved: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Gradients of x, of each initial state and of each weight."""
    # Below an operator torch leaves autograd out of the dispatch; here it is wanted again.
    excluded = torch._C._dispatch_tls_local_exclude_set().remove(torch._C.DispatchKey.AutogradFunctionality)
    with torch._C._ForceDispatchKeyGuard(torch._C._dispatch_tls_local_include_set(), excluded), torch.enable_grad():
        x = operands.x if operands.symbols else operands.x.detach().requires_grad_()
        states = [state.detach().requires_grad_() for state in operands.states]
        weights = [weight.detach().requires_grad_() for weight in operands.weights]
        found = gradients(replace(operands, x=x, states=states, weights=weights), grads)
    # Gradients of what was concatenated are parts of one tensor, and an operator's outputs may not share memory.
    dx, *rest = (grad.clone(memory_format=torch.contiguous_format) for grad in found)
    return dx, rest[: len(states)], rest[len(states) :]
