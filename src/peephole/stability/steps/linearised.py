"""What the steps of every cell have in common as linear maps: frozen rows, borders, zoneout; the Jacobian."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.stability.recordings.passage import Passage

At = int | slice  # a step, or several at once
States = tuple[Tensor, ...]


@dataclass(frozen=True)
class Pulled:
    """Gradients one step back.

    `before`: of the states that the step began with. `total`: of h, and of the LSTM's c with what reaches it through
    the h of its own step (the ∇C_t of the lecture). `dz`: of the stacked pre-activations as the input product makes
    them, `[…, G·H]`. `dz_state`: as the recurrent product makes them. `more`: what further parameters need.
    """

    before: States
    total: States
    dz: Tensor
    dz_state: Tensor
    more: dict[str, Tensor] = field(default_factory=dict)


class Linearised(ABC):
    """The steps of a passage. `at` is a time or a slice of times; gradients and tangents are `[…, B, ·]` at a time and
    `[…, T', B, ·]` over a slice, with any axes in front.
    """

    def __init__(self, passage: Passage) -> None:
        self.passage, self.spec, self.weights = passage, passage.spec, passage.weights

    @abstractmethod
    def pull_cell(self, at: At, gradients: States) -> Pulled:
        """The cell's own part of `pull`."""

    @abstractmethod
    def push_cell(self, at: At, tangents: States) -> States:
        """The cell's own part of `push`."""

    @abstractmethod
    def parameter_gradients(self, at: slice, gradients: States, pulled: Pulled) -> dict[str, Tensor]:
        """Gradients of the parameters through these steps alone: the immediate derivative ∂h⁺(k)/∂Θ of the lecture.

        `gradients` are those that `pull` was given, `[T', B, ·]`.
        """

    def pull(self, at: At, gradients: States) -> Pulled:
        """From the gradients of the states that a step left to those of the states that it began with."""
        alive, cut, zoneout = self._around(at)
        pulled = self.pull_cell(at, self.inner(at, gradients))
        before = pulled.before
        if any(zoneout):
            before = tuple(old + kept * new for old, kept, new in zip(before, zoneout, gradients, strict=True))
        if alive is not None:
            before = tuple(torch.where(alive, old, new) for old, new in zip(before, gradients, strict=True))
        if cut is not None:
            before = tuple(old.masked_fill(cut, 0.0) for old in before)
        return Pulled(before, (gradients[0], *pulled.total[1:]), pulled.dz, pulled.dz_state, pulled.more)

    def inner(self, at: At, gradients: States) -> States:
        """What of the gradients enters the cell: not that of frozen rows, nor what zoneout keeps."""
        alive, _, zoneout = self._around(at)
        if any(zoneout):
            gradients = tuple((1 - kept) * gradient for kept, gradient in zip(zoneout, gradients, strict=True))
        return gradients if alive is None else tuple(gradient * alive for gradient in gradients)

    def push(self, at: At, tangents: States) -> States:
        """From tangents of the states that a step begins with to those of the states that it leaves."""
        alive, cut, zoneout = self._around(at)
        if cut is not None:
            tangents = tuple(tangent.masked_fill(cut, 0.0) for tangent in tangents)
        following = self.push_cell(at, tangents)
        if any(zoneout):
            following = tuple(
                kept * old + (1 - kept) * new for kept, old, new in zip(zoneout, tangents, following, strict=True)
            )
        if alive is None:
            return following
        return tuple(torch.where(alive, new, old) for new, old in zip(following, tangents, strict=True))

    def jacobian(self, t: int) -> Float[Tensor, "batch states states"]:
        """∂s(t)/∂s(before), all states side by side: row i is how state number i answers."""
        sizes = self.passage.sizes
        identity = torch.eye(sum(sizes), dtype=self.passage.x.dtype, device=self.passage.x.device)
        # whole rather than expanded, so that torch makes one product of all rows
        tangents = tuple(part[:, None].repeat(1, self.passage.batch, 1) for part in identity.split(sizes, dim=-1))
        return torch.cat(self.push(t, tangents), dim=-1).permute(1, 2, 0).contiguous()

    def input_gradient(self, pulled: Pulled) -> Tensor:
        """Gradient of x, `[…, B, I]`."""
        return pulled.dz @ self.weights["weight_ih"]

    def _around(self, at: At) -> tuple[Tensor | None, Tensor | None, tuple[float, ...]]:
        passage = self.passage
        alive = None if passage.alive is None else passage.alive[at]
        return alive, None if passage.cut is None else passage.cut[at], passage.zoneout

    # --- what the parameters of every cell have in common ---

    def _common_gradients(self, at: slice, pulled: Pulled, seen: Tensor) -> dict[str, Tensor]:
        """Of W_ih, W_hh and the biases; `seen` `[T', B, ·]` is what the recurrent product multiplies."""
        found = {"weight_ih": product(pulled.dz, self.passage.x[at])}
        if "weight_hh" in self.weights:
            found["weight_hh"] = product(pulled.dz_state, seen)
        for name, dz in (("bias_ih", pulled.dz), ("bias_hh", pulled.dz_state)):
            if name in self.weights:
                found[name] = rows(dz).sum(0)
        return found


def rows(tensor: Tensor) -> Tensor:
    """`[T'·B, ·]`."""
    return tensor.flatten(0, -2)


def product(dz: Tensor, seen: Tensor) -> Tensor:
    """Σ dz ⊗ seen over steps and rows."""
    return rows(dz).t() @ rows(seen)
