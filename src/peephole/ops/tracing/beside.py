"""A record filled by the equations: where they are what runs, and beside kernels that show nothing of their inside."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from peephole.operands import Operands, state_dtype
from peephole.ops import equations
from peephole.ops.tracing.contributions import contributions
from peephole.ops.tracing.record import Piece, joined

Change = Callable[[int, str, Tensor], Tensor]


def run(operands: Operands, change: Change | None, piece: Piece | None) -> tuple[Tensor, tuple[Tensor, ...]]:
    """y and the final states by the equations, differentiable; `change` may replace what steps make."""
    if piece is None:
        return equations.run(operands, change)
    seen = _Seen(operands, piece, change)
    y, finals = equations.run(operands, seen)
    piece.shows(seen.values())
    if y.requires_grad:
        output = y.detach()
        piece.record.unfinished.append(lambda: seen.finish(output))
    return y, finals


@torch.no_grad()
def show(operands: Operands, piece: Piece) -> None:
    """The values of a call that another kernel serves."""
    seen = _Seen(operands, piece, None)
    equations.run(operands, seen)
    piece.shows(seen.values())


def show_gradients(operands: Operands, grads: Sequence[Tensor], piece: Piece) -> None:
    """The gradients of a call that another kernel serves, from those of y and the final states."""
    with torch.enable_grad():
        x = operands.x if operands.symbols else operands.x.detach().requires_grad_()
        states = [state.detach().requires_grad_() for state in operands.states]
        weights = [weight.detach().requires_grad_() for weight in operands.weights]
        again = replace(operands, x=x, states=states, weights=weights)
        seen = _Seen(again, piece, None)
        y, finals = equations.run(again, seen)
        torch.autograd.grad([y, *finals], [*states, *weights], grads, allow_unused=True)
    seen.finish(y.detach())


class _Seen:
    """Sees every step's numbers, and the gradients of those that have one."""

    def __init__(self, operands: Operands, piece: Piece, change: Change | None) -> None:
        self.operands, self.piece, self.change = operands, piece, change
        spec, steps = operands.spec, operands.x.shape[0]
        self.names = {*spec.gates, *spec.states}
        self.states = spec.states if spec.family == "rnn" else [name for name in spec.states if name not in spec.gates]
        self.sums = [f"sum_{gate}" if spec.layer_norm else f"z_{gate}" for gate in spec.gates]
        wanted = piece.wanted.steps
        self.wanted = set(range(steps)) if wanted is None else set(wanted.tolist())
        self.seen: dict[str, dict[int, Tensor]] = {}
        self.gradients: dict[str, dict[int, Tensor]] = {}
        self.resets: dict[int, Tensor] = {}  # a GRU's r, whole
        piece.record.by = "the equations, step by step"

    def __call__(self, t: int, name: str, value: Tensor) -> Tensor:
        if self.change is not None:
            value = self.change(t, name, value)
        shown = name in self.names or (self.piece.record.preactivations and name.startswith("z_"))
        if shown and t in self.wanted:
            self.seen.setdefault(name, {})[t] = value.detach()
        if name == "r" and self.operands.spec.family == "gru":
            self.resets[t] = value.detach()
        has_gradient = value.requires_grad and self.piece.wants_gradients
        if has_gradient and (name in self.states or name in self.sums):
            if value.is_leaf:  # a value put in place of the step's: it has a gradient of its own
                value = value.view_as(value)
            value.register_hook(lambda gradient: self._hear(t, name, gradient))
        return value

    def _hear(self, t: int, name: str, gradient: Tensor) -> None:
        found = self.gradients.setdefault(name, {})
        found[t] = found[t] + gradient.detach() if t in found else gradient.detach()

    def values(self) -> dict[str, Tensor]:
        """What was seen, `[steps, rows, units]`; an RNN's gate is its h."""
        chosen = replace(self.piece.wanted, steps=None)
        return {
            name: chosen.of(joined([(t, one[None]) for t, one in by_t.items()])) for name, by_t in self.seen.items()
        }

    def finish(self, y: Tensor) -> None:
        """Put the gradients into the record; nothing where no backward came."""
        if not self.gradients:
            return
        spec, steps, batch = self.operands.spec, *self.operands.x.shape[:2]
        wide = state_dtype(self.operands.dtype)
        hidden = self.operands.weights[0].shape[0] // len(spec.gates)

        def whole(name: str, size: int) -> Tensor:
            found, nothing = self.gradients.get(name, {}), y.new_zeros(batch, size, dtype=wide)
            return torch.stack([found.get(t, nothing) for t in range(steps)])

        sizes = dict(zip(spec.states, (state.shape[-1] for state in self.operands.states), strict=True))
        states = {name: size for name, size in sizes.items() if name in self.gradients}
        self.piece.shows_gradients({name: self.piece.wanted.of(whole(name, size)) for name, size in states.items()})
        dz = torch.cat([whole(name, hidden) for name in self.sums], dim=-1)
        if self.operands.lengths is not None:
            dz = dz.masked_fill(
                ~(torch.arange(steps, device=y.device)[:, None] < self.operands.lengths)[..., None], 0.0
            )
        resets = torch.stack([self.resets[t] for t in range(steps)]) if self.resets else None
        found = contributions(self.operands, y, dz, resets, self.piece.record.embedding)
        self.piece.adds(lambda: found)
        self.gradients = {}
