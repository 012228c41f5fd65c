"""Everything that the laboratory can say about a net on a batch, in one go."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from peephole.spec import BUILT_IN
from peephole.stability.backward.bounds import GradientBounds, gradient_bounds
from peephole.stability.backward.carousel import Carousel, carousel
from peephole.stability.backward.decomposition import Decomposition, decompose_gradient
from peephole.stability.backward.flow import GradientFlow, gradient_flow
from peephole.stability.forward.exponents import LyapunovSpectrum
from peephole.stability.forward.lyapunov import lyapunov_spectrum
from peephole.stability.forward.memory import Memory, memory
from peephole.stability.forward.saturation import Saturation, saturation
from peephole.stability.forward.timescales import Timescales, timescales
from peephole.stability.recordings.recording import Divergence, measured_mode, record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXPONENTS = 32  # the largest; a whole spectrum takes as many tangents as there are states


@dataclass(frozen=True, eq=False)
class Examination:
    """What `examine` found. `bounds` is None for a cell of one's own, `carousel` where there is no cell state."""

    saturation: Saturation
    memory: Memory
    lyapunov: LyapunovSpectrum
    timescales: Timescales
    flow: GradientFlow
    bounds: GradientBounds | None
    carousel: Carousel | None
    decomposition: Decomposition

    @property
    def parts(self) -> dict[str, Any]:
        """The results by name, forward in time first, without those that the cell has not."""
        named = {
            "bounded": self.saturation,
            "memory": self.memory,
            "exponents": self.lyapunov,
            "timescales": self.timescales,
            "gradient": self.flow,
            "bounds": self.bounds,
            "carousel": self.carousel,
            "truncation": self.decomposition,
        }
        return {name: found for name, found in named.items() if found is not None}

    @property
    def findings(self) -> dict[str, str]:
        """Each result's verdict."""
        return {name: found.verdict for name, found in self.parts.items()}

    @property
    def largest_exponent(self) -> float:
        """Of all layers, nats a step."""
        return max(float(layer.exponents[0]) for layer in self.lyapunov.layers)

    @property
    def verdict(self) -> str:
        """Blows up, or forgets how fast, and how far back its gradient reaches."""
        rate = self.largest_exponent
        if self.lyapunov.unsure:
            forward = f"neither clearly blows up small differences nor forgets them (exponent {rate:+.2g})"
        elif rate > 0:
            forward = f"blows up small differences by a factor of {math.exp(rate):.4g} a step (exponent {rate:+.3g})"
        else:
            forward = (
                f"forgets: 1 % of a difference is left after {math.log(0.01) / rate:.0f} steps (exponent {rate:.3g})"
            )
        place = self.flow.furthest
        if place is None:
            return f"It {forward}; no gradient reaches its recurrent layers."
        layer = self.flow.layers[place]
        reach = self.flow.horizon(place, layer.states[-1])
        return f"It {forward}; the gradient of {layer.states[-1]} in {layer.name} reaches {reach.text} steps back."

    def as_dict(self) -> dict[str, Any]:
        """Verdicts and curves as plain values and tensors, for a file."""
        flows = {
            layer.name: {state: self.flow.by_lag(place, state).nanmean(1) for state in layer.states}
            for place, layer in enumerate(self.flow.layers)
        }
        horizons = {
            layer.name: {state: vars(self.flow.horizon(place, state)) for state in layer.states}
            for place, layer in enumerate(self.flow.layers)
        }
        return {
            "verdict": self.verdict,
            "findings": self.findings,
            "exponents": {layer.name: layer.exponents for layer in self.lyapunov.layers},
            "flow_by_lag": flows,
            "horizons": horizons,
            "truncation_error": self.decomposition.error,
            "truncation_cosine": self.decomposition.cosine,
            "saturated": {layer.name: layer.saturated for layer in self.saturation.layers},
        }

    def plot(self, figure: "Figure") -> None:
        """A panel for each result."""
        parts = self.parts
        rows = 2
        axes = figure.subplots(rows, -(-len(parts) // rows)).flat
        for ax, (name, found) in zip(axes, parts.items(), strict=False):
            found.plot(ax)
            ax.set_title(name, loc="left", fontsize="medium")
        for ax in list(axes)[len(parts) :]:
            ax.remove()


def examine(
    module: nn.Module, batch: Any, divergence: Divergence, targets: int = 16, sample: Any = None
) -> Examination:
    """Saturation, memory, Lyapunov exponents, timescales, gradient flow, bounds, carousel and truncation of a net.

    `module`, `batch`, `divergence` and `targets` as `gradient_flow` takes them. `sample` is a smaller batch for what
    takes a product of whole matrices a step and row (bounds and memory); `batch` unless given. Modes and parameters
    stay as they are.
    """
    small = batch if sample is None else sample
    with measured_mode(module):  # one warning rather than eight
        known = record(module, batch).passages[0]
        family = known.spec.family
        return Examination(
            saturation(module, batch),
            memory(module, small),
            lyapunov_spectrum(module, batch, exponents=min(EXPONENTS, sum(known.sizes))),
            timescales(module, batch),
            gradient_flow(module, batch, divergence, targets),
            gradient_bounds(module, small) if family in BUILT_IN else None,
            carousel(module, batch, divergence, targets) if family == "lstm" else None,
            decompose_gradient(module, batch, divergence),
        )
