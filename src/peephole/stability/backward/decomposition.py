"""Which distances in time a gradient comes from: ∂Div/∂Θ by lag, and what truncation at each lag loses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.stability.backward.lags import Gradients, bptt, entering, gradients_by_lag, linearised_layers
from peephole.stability.backward.seeds import seeds_of
from peephole.stability.recordings.recording import Divergence, record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 64  # about the window that recurrent nets are trained with (35 to 100 steps)


@dataclass(frozen=True, eq=False)
class Decomposition:
    """What `decompose_gradient` found. Parameters are named as torch.nn names them, layers as people do.

    `lags` are the ℓ = t − k told apart, ascending; those of a reverse direction are negative. `norms[name]` is
    ‖∂Div/∂Θ‖ of one parameter at each lag, zero where a direction has none. Truncated at k, gradients are the sum over
    |ℓ| ≤ k: `errors[name]` and `cosines[name]` compare that with the whole, ‖sum − whole‖/‖whole‖ and the cosine of the
    angle between them, for k = 0, 1, …; `error` and `cosine` do so for all parameters together, and a cosine with
    nothing is NaN. `remainders[name]` is the norm of what lies beyond the lags told apart. `participation[layer]` is
    (Σ g²)²/(N Σ g⁴) over the N parameters of a layer and direction at each lag: the share of them that hold the
    gradient, 1 if all do alike, 1/N if one does alone, a third for normal numbers; NaN where there is no gradient.
    `whole_participation` is that of the whole gradient, and `gradients` the whole gradient itself.
    """

    lags: tuple[int, ...]
    gradients: Mapping[str, Tensor]
    norms: Mapping[str, Float[Tensor, "lags"]]
    errors: Mapping[str, Float[Tensor, "truncations"]]
    cosines: Mapping[str, Float[Tensor, "truncations"]]
    error: Float[Tensor, "truncations"]
    cosine: Float[Tensor, "truncations"]
    remainders: Mapping[str, float]
    participation: Mapping[str, Float[Tensor, "lags"]]
    whole_participation: Mapping[str, float]

    @property
    def parameters(self) -> int:
        """How many numbers Θ has."""
        return sum(gradient.numel() for gradient in self.gradients.values())

    def norm(self, layer: str | None = None) -> Float[Tensor, "lags"]:
        """‖∂Div/∂Θ‖ at each lag, of all parameters together, or of one layer's (`layer 0`, `layer 1 reverse`)."""
        names = [name for name in self.norms if layer in (None, layer_of(name))]
        if not names:
            raise InputError(f"unknown layer {layer!r}; choose one of {', '.join(self.participation)}")
        return torch.linalg.vector_norm(torch.stack([self.norms[name] for name in names]), dim=0)

    def enough(self, loss: float = 0.01) -> int | None:
        """The smallest k from which on truncation loses no more than `loss`, None where the lags told apart do not
        suffice.
        """
        beyond = (~(self.error <= loss)).nonzero()
        k = int(beyond[-1]) + 1 if len(beyond) else 0
        return k if k < len(self.error) else None

    @property
    def verdict(self) -> str:
        """What truncation loses, and how concentrated the gradient is."""
        if not any(bool(gradient.any()) for gradient in self.gradients.values()):
            return f"No gradient reaches the {self.parameters:,} recurrent parameters."
        furthest, k = len(self.error) - 1, self.enough()
        whose = f"the gradient of {self.parameters:,} parameters: truncation"
        if k is None:
            said = f"Even {furthest} steps back are not enough for {whose} there is off by {_share(self.error[-1])}"
        elif k == furthest > 0:
            said = f"It takes all {k} steps back for {whose} at {k - 1} is off by {_share(self.error[k - 1])}"
        else:
            said = f"{k} steps back are enough for {whose} there is off by {_share(self.error[k])}"
            if k > 1:
                said += f", at {k // 2} by {_share(self.error[k // 2])} (cosine {float(self.cosine[k // 2]):.3f})"
        layer = min(self.whole_participation, key=lambda name: _number(self.whole_participation[name]))
        return f"{said}; {self.whole_participation[layer]:.2%} of the parameters of {layer} hold its gradient."

    def plot(self, ax: "Axes") -> None:
        """The norm of each lag's gradient as a share of the whole's, a line for each layer and direction, and what
        truncation loses.
        """
        whole = sum(float(gradient.double().square().sum()) for gradient in self.gradients.values()) ** 0.5 or 1.0
        for place, layer in enumerate(self.participation):
            curve = (self.norm(layer).double() / whole).cpu()
            shown = [(lag, float(size)) for lag, size in zip(self.lags, curve, strict=True) if size > 0]
            if shown:
                ax.plot(*zip(*shown, strict=True), color=f"C{place}", label=f"lag ℓ alone, {layer}")
        lost = self.error.cpu()
        # rounding is all that is lost in the end; drawn, it would hide the rest
        rounding = 100 * torch.finfo(lost.dtype).eps
        kept = [(k, float(share)) for k, share in enumerate(lost) if share > rounding]
        if kept:
            ax.plot(*zip(*kept, strict=True), color="black", linestyle="--", label="lost by truncation at |ℓ|")
        ax.set(xlabel="lag ℓ = t − k in steps", ylabel="norm, as a share of the whole gradient's", yscale="log")
        ax.spines[["top", "right"]].set_visible(False)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(frameon=False)


def decompose_gradient(
    module: nn.Module, batch: Any, divergence: Divergence, longest: int | None = LONGEST
) -> Decomposition:
    """The gradient of the recurrent parameters by lag ℓ = t − k, through immediate partial derivatives.

    ∂Div/∂Θ = Σ_t Σ_k ∂Div(t)/∂h(t) ∂h(t)/∂h(k) ∂h⁺(k)/∂Θ, where h⁺ takes the state before it as given (Pascanu, Mikolov
    & Bengio 2013, eq. 3–5). Θ are the weights of all recurrent layers, without learned initial states, which have no
    lag. The sum over |ℓ| ≤ k is the gradient of backpropagation truncated at k (Williams & Peng 1990).

    `module` holds one recurrent stack of peephole's or torch.nn's; `batch` is what it is called with: a tensor, a tuple
    of arguments or a mapping of keywords; `divergence(output)` is a sum over time. Lags up to `longest` are told apart
    and what lies beyond is one remainder, so that time is linear in T; None tells all apart, in time quadratic in T. A
    bidirectional stack of several layers is quadratic in any case.

    Raises:
        InputError: the module has no recurrent net, the batch less than two steps, the divergence is no number or does
            not depend on the output, `longest` is no whole number of at least 1, or a gradient is not finite.
    """
    if longest is not None and (isinstance(longest, bool) or not isinstance(longest, int) or longest < 1):
        raise InputError(f"longest is {longest!r}; expected a whole number of lags of at least 1, or None for all")
    recording = record(module, batch)
    seeds = seeds_of(recording, divergence)
    furthest = recording.steps - 1 if longest is None else min(longest, recording.steps - 1)
    with torch.no_grad():
        layers, sent = linearised_layers(recording), entering(recording, seeds)
        whole = bptt(layers, sent)
        directions = len(recording.layers[0])
        lags = range(-furthest if directions == 2 else 0, furthest + 1)
        tallies = [_Tally(gradients, lags) for gradients in whole]
        for lag, index, gradients in gradients_by_lag(layers, sent, furthest):
            tallies[index].add(lag, gradients)
    names = [passage.name for passage in recording.passages]
    suffixes = [f"_l{passage.layer}{'_reverse' if passage.reverse else ''}" for passage in recording.passages]
    found = [
        (name + suffix, tally, name) for suffix, tally in zip(suffixes, tallies, strict=True) for name in tally.whole
    ]
    gradients = {full: tally.whole[name] for full, tally, name in found}
    for full, gradient in gradients.items():
        if not bool(torch.isfinite(gradient).all()):
            raise InputError(f"the gradient of {full} is not finite; it explodes on this batch: give fewer steps")
    dtype = recording.passages[0].x.dtype
    error, cosine = _compare(torch.stack([tally.products[name] for _, tally, name in found]).sum(0))
    compared = {full: _compare(tally.products[name]) for full, tally, name in found}
    return Decomposition(
        tuple(lags),
        gradients,
        {full: tally.norms[name].to(dtype) for full, tally, name in found},
        {full: pair[0].to(dtype) for full, pair in compared.items()},
        {full: pair[1].to(dtype) for full, pair in compared.items()},
        error.to(dtype),
        cosine.to(dtype),
        {full: float(tally.products[name][-1, 0].sqrt()) for full, tally, name in found},
        {name: tally.participation.to(dtype) for name, tally in zip(names, tallies, strict=True)},
        {name: _participation(tally.whole) for name, tally in zip(names, tallies, strict=True)},
    )


def layer_of(name: str) -> str:
    """`layer 1 reverse` for `weight_hh_l1_reverse`."""
    reverse = name.endswith("_reverse")
    number = name.removesuffix("_reverse").rsplit("_l", 1)[1]
    return f"layer {number}{' reverse' if reverse else ''}"


class _Tally:
    """The lags of one layer and direction added up. In float64: squares of small gradients leave float32's range."""

    def __init__(self, whole: Gradients, lags: range) -> None:
        self.whole, self._lags = whole, lags
        some = next(iter(whole.values()))
        self._sums = {name: torch.zeros_like(gradient) for name, gradient in whole.items()}
        self.norms = {name: some.new_zeros(len(lags), dtype=torch.float64) for name in whole}
        self.participation = some.new_full((len(lags),), torch.nan, dtype=torch.float64)
        # ‖sum − whole‖², ⟨sum, whole⟩, ‖sum‖² and ‖whole‖² at each truncation
        self.products = {name: some.new_zeros(lags[-1] + 1, 4, dtype=torch.float64) for name in whole}

    def add(self, lag: int, gradients: Gradients) -> None:
        place = self._lags.index(lag)
        self.participation[place] = _participation(gradients)
        for name, gradient in gradients.items():
            self.norms[name][place] = torch.linalg.vector_norm(gradient, dtype=torch.float64)
            total, whole = self._sums[name].add_(gradient).double(), self.whole[name].double()
            products = [(total - whole).square(), total * whole, total.square(), whole.square()]
            self.products[name][abs(lag)] = torch.stack([product.sum() for product in products])


def _compare(products: Tensor) -> tuple[Tensor, Tensor]:
    """Relative error and cosine from the four products of `_Tally`, `[K, 4]`."""
    apart, inner, size, whole = products.unbind(-1)
    nothing = (whole == 0) & (apart == 0)
    return torch.where(nothing, 0.0, (apart / whole).sqrt()), inner / (size * whole).sqrt()


def _participation(gradients: Gradients) -> float:
    """(Σ g²)²/(N Σ g⁴), of gradients scaled to at most 1 so that nothing underflows."""
    flat = torch.cat([gradient.flatten() for gradient in gradients.values()]).double()
    squares = (flat / flat.abs().max()).square()
    return float(squares.sum().square() / (len(flat) * squares.square().sum()))


def _number(value: float) -> float:
    """For comparing: NaN counts as everything."""
    return value if value == value else 1.0


def _share(error: Tensor) -> str:
    value = float(error)
    return f"{value:.2g} times its norm" if value >= 10 else f"{value:.2%}" if value >= 1e-4 else f"{value:.1e}"
