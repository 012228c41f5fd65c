"""The constant error carousel: what of an LSTM's gradient came by the forget gates alone, and how far they carry it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.stability.backward.carrying import Sums, carry, kept_by
from peephole.stability.backward.seeds import choose_targets, seeds_of
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import Divergence, Recording, record
from peephole.stability.steps import linearise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LITTLE = 0.01  # of the gradient; what is left when the carousel is said to carry no more


@dataclass(frozen=True, eq=False)
class LayerCarousel:
    """One layer and direction; the first entry of a curve is lag 0, where a target's gradient reaches c.

    Of the gradient ∂Div(t)/∂c(k) at a lag, over all targets t and rows, roots of mean squared norms: `total`,
    `carousel`, the part that only forget gates have touched on its way from c to c, and `rest`, which went through h or
    a peephole at least once, or came down later from the layer above. `share` is ⟨carousel, total⟩/‖total‖², which with
    the rest's adds up to 1; it may leave [0, 1] where both point apart, and is NaN where there is no gradient.
    `carried` is the carousel's norm relative to its own at lag 0.

    `retention` is the mean product of the forget gates over a lag. `forget_gate` `[H]` is each unit's geometric mean of
    its forget gate over the batch, and `half_life` `[H]` −ln 2 / mean ln f in steps, infinite where nothing is
    forgotten.
    """

    name: str
    total: Float[Tensor, "lags"]
    carousel: Float[Tensor, "lags"]
    rest: Float[Tensor, "lags"]
    share: Float[Tensor, "lags"]
    carried: Float[Tensor, "lags"]
    retention: Float[Tensor, "lags"]
    forget_gate: Float[Tensor, "units"]
    half_life: Float[Tensor, "units"]

    def reach(self, fraction: float = LITTLE) -> int | None:
        """The longest lag up to which the carousel alone carries `fraction` of a gradient; None if it does at all lags
        that were looked at.
        """
        under = (~(self.carried >= fraction)).nonzero()
        return int(under[0]) - 1 if len(under) else None

    def expected_reach(self, fraction: float = LITTLE) -> Float[Tensor, "units"]:
        """For each unit ln(fraction) / mean ln f: the steps after which its forget gate alone leaves `fraction`."""
        return self.half_life * (-math.log2(fraction))


@dataclass(frozen=True, eq=False)
class Carousel:
    """What `carousel` found, for each layer and direction."""

    targets: tuple[int, ...]
    layers: tuple[LayerCarousel, ...]

    @property
    def verdict(self) -> str:
        """How far the carousel of the last layer carries, and how much of the gradient is its."""
        layer = next((layer for layer in reversed(self.layers) if bool(layer.total.any())), None)
        if layer is None:
            return "No gradient reaches the cell states from the targets."
        reach, furthest = layer.reach(), len(layer.carried) - 1
        lag = furthest if reach is None else max(reach, min(1, furthest))
        carries = (
            f"still carries {float(layer.carried[-1]):.2g} of a gradient after {furthest} steps"
            if reach is None
            else f"carries {LITTLE:.0%} of a gradient for {reach} steps"
        )
        median = float(layer.half_life.median())
        lives = "without end" if math.isinf(median) else f"of {median:.3g} steps"
        share = float(layer.share[lag])
        part = "there is no gradient" if math.isnan(share) else f"{round(share, 2) + 0.0:.0%} of the gradient are its"
        return (
            f"In {layer.name} the carousel alone {carries}, with a half-life {lives} in the median unit; at lag {lag} "
            f"{part}, the rest came through h and the peepholes."
        )

    def plot(self, ax: "Axes", layer: int = -1) -> None:
        """The norms of one layer over lag: the whole gradient of c, the carousel's part and the rest."""
        if not -len(self.layers) <= layer < len(self.layers):
            raise InputError(f"layer is {layer}; this net has {len(self.layers)} layers and directions, from 0")
        shown = self.layers[layer]
        curves = {
            "whole": (shown.total, "black", "-"),
            "carousel alone": (shown.carousel, "C0", "-"),
            "through h and peepholes": (shown.rest, "C1", "--"),
        }
        scale = (float(shown.total[0]) if len(shown.total) else 0.0) or 1.0
        for label, (curve, colour, style) in curves.items():
            relative = (curve.double() / scale).cpu()
            relative[relative <= 0] = math.nan  # no place on a logarithmic axis
            if not bool(relative.isnan().all()):
                ax.plot(relative, color=colour, linestyle=style, label=label)
        ax.axhline(LITTLE, color="0.6", linewidth=1)
        ax.set(
            xlabel="lag in steps",
            ylabel="‖∂Div(t)/∂c(k)‖, relative to lag 0",
            yscale="log",
            title=shown.name,
        )
        ax.spines[["top", "right"]].set_visible(False)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(frameon=False)


def carousel(module: nn.Module, batch: Any, divergence: Divergence, targets: int | Sequence[int] = 16) -> Carousel:
    """What of an LSTM's gradient the constant error carousel carries, of any variant of the cell.

    ∇c(k) = f(k+1) ∘ ∇c(k+1) + what comes through h and the peepholes (Hochreiter & Schmidhuber 1997, with the forget
    gate of Gers, Schmidhuber & Cummins 2000): the first term alone, from the targets t on, is the carousel. As in the
    lecture ∇c(k) counts what leaves through the h of step k. A coupled forget gate is 1 − i, a missing one 1; with
    zoneout κ a step keeps κ + (1 − κ) f, and ∇c is that of the cell state before it is mixed with the old.

    `module` holds one recurrent stack; `batch` is what it is called with: a tensor, a tuple of arguments or a mapping
    of keywords; `divergence(output)` is a sum over time. `targets` are times, or how many, spread over those that the
    divergence looks at. A lag counts the steps that a row took since a target's gradient reached the layer.

    Raises:
        InputError: the recurrent net is no LSTM, the batch has less than two steps, or the divergence ignores a target.
    """
    recording = record(module, batch)
    _check_cell(recording)
    seeds = seeds_of(recording, divergence)
    chosen = choose_targets(seeds, recording.steps, targets)
    sums = carry(recording, seeds, chosen)
    passages = recording.passages
    return Carousel(chosen, tuple(_summarise(passage, each) for passage, each in zip(passages, sums, strict=True)))


def _check_cell(recording: Recording) -> None:
    spec = recording.passages[0].spec
    if spec.family != "lstm":
        raise InputError(
            f"got a {spec.family}, which has no cell state for a carousel; expected an lstm (gradient_flow and "
            "decompose_gradient measure every cell)"
        )


def _summarise(passage: Passage, sums: Sums) -> LayerCarousel:
    """Sums to means, in the module's precision."""
    dtype = passage.x.dtype
    reached = int((sums.counted > 0).sum())  # lags are reached one after another
    logs = kept_by(linearise(passage)).double().log()
    mean_log = (logs.flatten(0, 1) if passage.alive is None else logs[passage.alive[..., 0]]).mean(0)

    def ratio(above: Tensor, below: Tensor) -> Tensor:
        return above[:reached] / below[:reached]

    return LayerCarousel(
        passage.name,
        ratio(sums.total, sums.counted).sqrt().to(dtype),
        ratio(sums.carousel, sums.counted).sqrt().to(dtype),
        ratio(sums.rest, sums.counted).sqrt().to(dtype),
        ratio(sums.inner, sums.total).to(dtype),
        ratio(sums.carousel, sums.begun).sqrt().to(dtype),
        ratio(sums.retained, sums.counted).to(dtype),
        mean_log.exp().to(dtype),
        (math.log(2) / mean_log.abs()).to(dtype),
    )
