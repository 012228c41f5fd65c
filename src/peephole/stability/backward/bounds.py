"""Bounds on ‖∂s(t)/∂s(k)‖ beside what is measured: is vanishing guaranteed, is explosion possible?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.spec import BUILT_IN
from peephole.stability.backward.ranges import possible
from peephole.stability.backward.step_bounds import block_bounds, occurred
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import record
from peephole.stability.steps import linearise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROUNDING = 1e-12  # of ρ(N), which an orthogonal W has at 1 but for it
KINDS = {"measured": "-", "by the trajectory": "--", "η^(t−k)": "-.", "by the weights": ":"}  # as they are drawn
DRAWN = 1e6  # how far over everything measured a bound is drawn


@dataclass(frozen=True, eq=False)
class LayerBounds:
    """One layer and direction, T its last step; entry ℓ of a curve is about ∂s(T)/∂s(T − ℓ), all states side by side.

    By the weights: `step` is N, whose entries bound ‖∂a(t)/∂b(t−1)‖₂ for `states` a and b at every step, `growth` its
    spectral radius ρ(N), and `a_priori` ‖N^ℓ‖₂. `assumed` says what that takes from the batch.
    Along the trajectory: `steps_allowed` `[T, B]` is ‖N_t‖₂ with the factors that occurred, and `trajectory` the norm
    of the product of the N_t.
    Measured: `steps_measured` `[T, B]` is ‖∂s(t)/∂s(t−1)‖₂ and `measured` ‖∂s(T)/∂s(T − ℓ)‖₂.
    Steps past a row's end keep the states. All in float64, since powers leave float32's range.
    """

    name: str
    states: tuple[str, ...]
    step: Float[Tensor, "states states"]
    growth: float
    assumed: tuple[str, ...]
    a_priori: Float[Tensor, "lags batch"]
    steps_allowed: Float[Tensor, "time batch"]
    trajectory: Float[Tensor, "lags batch"]
    steps_measured: Float[Tensor, "time batch"]
    measured: Float[Tensor, "lags batch"]

    @property
    def eta(self) -> float:
        """η, the largest ‖∂s(t)/∂s(t−1)‖₂ of the trajectory: the chain is at most η^(t−k)."""
        return float(self.steps_measured.max())

    @property
    def by_eta(self) -> Float[Tensor, "lags"]:
        """η^ℓ."""
        return self.eta ** torch.arange(len(self.measured), dtype=torch.float64, device=self.measured.device)

    @property
    def vanishing_guaranteed(self) -> bool:
        """Whether ρ(N) < 1, so that the chain vanishes for all inputs that `assumed` allows."""
        return self.growth < 1 - ROUNDING

    @property
    def explosion_possible(self) -> bool:
        """Whether ρ(N) > 1, without which nothing grows exponentially; it need not."""
        return self.growth > 1 + ROUNDING


@dataclass(frozen=True, eq=False)
class GradientBounds:
    """What `gradient_bounds` found, for each layer and direction."""

    layers: tuple[LayerBounds, ...]

    @property
    def vanishing_guaranteed(self) -> bool:
        """Whether it is in every layer."""
        return all(layer.vanishing_guaranteed for layer in self.layers)

    @property
    def explosion_possible(self) -> bool:
        """Whether it is in some layer."""
        return any(layer.explosion_possible for layer in self.layers)

    @property
    def verdict(self) -> str:
        """What the weights allow, and what happened, in the layer whose bound is the largest."""
        layer = max(self.layers, key=lambda each: each.growth)
        if layer.vanishing_guaranteed:
            allowed = "vanishing is guaranteed"
        elif layer.explosion_possible:
            allowed = "explosion is possible, and vanishing too"
        else:
            allowed = "neither vanishing is guaranteed nor explosion possible"
        steps = len(layer.measured) - 1
        happened, trajectory, weights = (
            float(curve[-1].max()) for curve in (layer.measured, layer.trajectory, layer.a_priori)
        )
        return (
            f"In {layer.name} {allowed}: ρ(N) = {layer.growth:.3g} by the weights; over {steps} steps ‖∂s(T)/∂s(0)‖ "
            f"was {happened:.2g}, where the trajectory allows {trajectory:.2g} and the weights {weights:.2g}."
        )

    def plot(self, ax: "Axes") -> None:
        """What was measured and its bounds over t − k, the largest of all rows; of several layers each has a colour."""
        several, top = len(self.layers) > 1, 0.0
        for place, layer in enumerate(self.layers):
            curves = layer.measured, layer.trajectory, layer.by_eta[:, None], layer.a_priori
            for number, ((kind, style), curve) in enumerate(zip(KINDS.items(), curves, strict=True)):
                largest = curve.amax(1).cpu()
                largest[(largest <= 0) | ~torch.isfinite(largest)] = torch.nan
                if kind == "measured":
                    top = max(top, float(largest.nan_to_num().max()))
                label = (layer.name if kind == "measured" else None) if several else kind
                # one that lies on another is still seen under it
                width = 1.5 if several or kind == "measured" else 3.5 - 0.7 * number
                colour = f"C{place if several else number}"
                ax.plot(largest, linestyle=style, color=colour, linewidth=width, label=label)
        if several:
            for kind, style in KINDS.items():
                ax.plot([], [], linestyle=style, color="0.4", label=kind)
        ax.set(xlabel="t − k in steps", ylabel="‖∂s(t)/∂s(k)‖₂", yscale="log")
        if ax.get_ylim()[1] > DRAWN * top > 0:  # bounds that explode would flatten everything else
            ax.set_ylim(top=DRAWN * top)
        ax.axhline(1, color="0.6", linewidth=1)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)


def gradient_bounds(module: nn.Module, batch: Any) -> GradientBounds:
    """Upper bounds on the norm of ∂s(t)/∂s(k), s being all states of a layer, beside the norm itself.

    For the simple recurrent net N is γ‖W‖₂ (Pascanu, Mikolov & Bengio 2013, and the lecture): ‖W‖ < 1/γ guarantees that
    gradients vanish, ‖W‖ > 1/γ is necessary for explosion and not sufficient. γ, the largest slope, is 1 for tanh, relu
    and identity, ¼ for the sigmoid and ½ for softmax. The bounds of taps, residuals, layer normalisation, LSTM and GRU,
    with every switch, are derived in `docs/bounds.md`. Chains take T·B products of matrices as wide as the states.

    `module` holds one recurrent stack of peephole's or torch.nn's; `batch` is what it is called with: a tensor, a tuple
    of arguments or a mapping of keywords.

    Raises:
        InputError: the module has no recurrent net or a cell of one's own, or the batch less than two steps.
    """
    recording = record(module, batch)
    family = recording.passages[0].spec.family
    if family not in BUILT_IN:
        raise InputError(
            f"got the cell {family!r}, whose step has no known bound; expected an rnn, lstm or gru (gradient_flow "
            "measures every cell)"
        )
    with torch.no_grad():
        return GradientBounds(tuple(_of_layer(passage) for passage in recording.passages))


def _of_layer(passage: Passage) -> LayerBounds:
    one = linearise(passage)
    factors, assumed = possible(one)
    step = block_bounds(passage, factors)
    each = block_bounds(passage, occurred(one)).expand(passage.steps, passage.batch, *step.shape)
    weights, trajectory = _Chain(len(step), passage), _Chain(len(step), passage)
    measured = _Chain(sum(passage.sizes), passage)
    steps_measured, steps_allowed = (torch.ones_like(measured.norms[0]).repeat(passage.steps, 1) for _ in range(2))
    for t in reversed(passage.order):
        jacobian = one.jacobian(t).double()
        steps_measured[t] = torch.linalg.matrix_norm(jacobian, 2)
        allowed = each[t] if passage.cut is None else each[t].masked_fill(passage.cut[t][..., None], 0.0)
        measured.extend(jacobian)
        if passage.alive is not None:
            allowed = _frozen(allowed, passage.alive[t])
        steps_allowed[t] = torch.linalg.matrix_norm(allowed, 2)
        trajectory.extend(allowed)
        weights.extend(step if passage.alive is None else _frozen(step, passage.alive[t]))
    return LayerBounds(
        passage.name,
        passage.spec.states,
        step,
        float(torch.linalg.eigvals(step).abs().max()),
        assumed,
        torch.stack(weights.norms),
        steps_allowed,
        torch.stack(trajectory.norms),
        steps_measured,
        torch.stack(measured.norms),
    )


def _frozen(step: Tensor, alive: Tensor) -> Tensor:
    """A step's matrix `[B, n, n]`, the identity for rows that are past their end."""
    identity = torch.eye(step.shape[-1], dtype=step.dtype, device=step.device)
    return torch.where(alive[..., None], step, identity)


class _Chain:
    """A product of matrices, later steps on the left, kept at size 1 with the logarithm of its size beside it."""

    def __init__(self, size: int, passage: Passage) -> None:
        identity = torch.eye(size, dtype=torch.float64, device=passage.x.device)
        self._matrix = identity.expand(passage.batch, size, size)
        self._log = self._matrix.new_zeros(passage.batch)
        self.norms = [torch.ones_like(self._log)]

    def extend(self, step: Tensor) -> None:
        """By one step back."""
        product = self._matrix @ step
        size = product.abs().amax((-2, -1))
        self._log = self._log + size.log()
        self._matrix = product / torch.where(size > 0, size, 1.0)[:, None, None]
        self.norms.append(torch.linalg.matrix_norm(self._matrix, 2) * self._log.exp())
