"""Gradient flow through time: ‖∂Div(t)/∂h(k)‖ from target times t back to every k, layer by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.stability.backward.flowing import pull_through
from peephole.stability.backward.horizon import Horizon, find_horizon
from peephole.stability.backward.seeds import Seeds, choose_targets, seeds_of
from peephole.stability.recordings.recording import Divergence, Recording, record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from peephole.stability.backward.bounds import GradientBounds


@dataclass(frozen=True, eq=False)
class LayerFlow:
    """One layer and direction. `norms` holds for each state, h and the LSTM's c, ‖∂Div(t)/∂state(k)‖ as `[N, T, B]`:
    target, k, row. That of c counts what leaves through the h of the same step, as torch's autograd does. `entries`
    `[N, B]` are the times at which the gradient of each target enters: t itself, or, where the divergence looks at the
    final state, a row's last step, which is 0 in the reverse direction.
    """

    name: str
    reverse: bool
    entries: Tensor
    norms: Mapping[str, Tensor]

    @property
    def states(self) -> tuple[str, ...]:
        """h, and c where there is one."""
        return tuple(self.norms)


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """What `gradient_flow` found. `targets` are the times t, ascending; `rows` `[N, B]` says which rows have a
    divergence at them.
    """

    targets: tuple[int, ...]
    rows: Tensor
    layers: tuple[LayerFlow, ...]

    def by_lag(self, layer: int = -1, state: str = "h") -> Float[Tensor, "lags batch"]:
        """The mean flow over targets at each distance |t − k|, against the direction of the layer; NaN where a row has
        no target that far.
        """
        flow = self._layer(layer)
        if state not in flow.norms:
            raise InputError(f"no state {state!r} here; {flow.name} has {', '.join(flow.states)}")
        norms = flow.norms[state]
        lags = torch.arange(norms.shape[1], device=norms.device)[:, None]  # against the rows' entries
        total, count = torch.zeros_like(norms[0]), torch.zeros_like(norms[0])
        for number, entry in enumerate(flow.entries):
            k = entry + lags if flow.reverse else entry - lags  # [lags, B]
            there = (k >= 0) & (k < len(lags)) & self.rows[number]
            total += norms[number].gather(0, k.clamp(0, len(lags) - 1)) * there
            count += there
        reached = int(count.any(1).sum())
        return (total / count)[:reached]

    def horizon(
        self, layer: int = -1, state: str = "h", fraction: float = 0.01, resamples: int = 1000, seed: int = 0
    ) -> Horizon:
        """The first lag at which the mean flow is under `fraction` of that at lag 0, with a bootstrap interval."""
        return find_horizon(self.by_lag(layer, state), fraction, resamples, seed)

    def matrix(self, layer: int = -1, state: str = "h") -> Float[Tensor, "targets time"]:
        """The mean over rows: a row for each target, a column for each k."""
        weights = self.rows.to(self._layer(layer).norms[state].dtype)
        total = (self._layer(layer).norms[state] * weights[:, None]).sum(-1)
        return total / weights.sum(-1, keepdim=True)

    @property
    def furthest(self) -> int | None:
        """The number of the last layer and direction that a gradient enters; None where none does."""
        return next((place for place in reversed(range(len(self.layers))) if self._enters(place)), None)

    def _enters(self, place: int) -> bool:
        return bool(self.layers[place].norms[self.layers[place].states[-1]].any())

    @property
    def verdict(self) -> str:
        """How far the gradient of the last layer that it enters reaches."""
        place = self.furthest
        if place is None:
            return "No gradient reaches the recurrent layers from the targets."
        layer = self.layers[place]
        state = layer.states[-1]
        curve = self.by_lag(place, state).nanmean(1)
        horizon = self.horizon(place, state)
        longest = len(curve) - 1
        change = float(curve[-1] / curve[0])
        if horizon.lag is None:
            return (
                f"The gradient of {state} in {layer.name} {'grows' if change > 1 else 'is still there'} over the "
                f"{longest} steps that were looked at: {change:.3g} times as much arrives."
            )
        return (
            f"The gradient of {state} in {layer.name} falls under {horizon.fraction:.0%} after {horizon.text} steps; "
            f"{change:.2g} of it arrives after {longest}."
        )

    def plot(self, ax: "Axes", fraction: float = 0.01, bounds: "GradientBounds | None" = None) -> None:
        """The mean flow over lag, relative to lag 0, a line for each layer and state.

        `bounds`, of the same net on the same batch, adds what h of the last layer cannot exceed: η to the power of the
        lag, and the bound by the weights.
        """
        for place, layer in enumerate(self.layers):
            for state in layer.states:
                curve = self.by_lag(place, state).nanmean(1)
                if not bool((curve > 0).any()):
                    continue
                style = "--" if state == "c" else "-"
                label = f"{layer.name} {state}" if len(self.layers) > 1 or len(layer.states) > 1 else state
                ax.plot((curve / curve[0]).cpu().numpy(), style, color=f"C{place}", label=label)
        if bounds is not None:
            self._draw_bounds(ax, bounds)
        ax.axhline(fraction, color="0.6", linewidth=1)
        ax.set(xlabel="lag t − k in steps", ylabel="mean ‖∂Div(t)/∂state(k)‖, relative to lag 0", yscale="log")
        ax.spines[["top", "right"]].set_visible(False)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(frameon=False)

    def _draw_bounds(self, ax: "Axes", bounds: "GradientBounds") -> None:
        lags = self.by_lag(-1, self.layers[-1].states[0]).shape[0]
        last, high = bounds.layers[-1], ax.get_ylim()[1]
        for name, curve in {"η^(t−k)": last.by_eta, "by the weights": last.a_priori.amax(1)}.items():
            shown = curve[:lags].double().cpu()
            shown = shown.masked_fill(~((shown > 0) & (shown < 1e6 * max(high, 1.0))), torch.nan)
            ax.plot(shown.numpy(), ":", color="0.3" if name[0] == "η" else "0.6", label=f"bound {name}")

    def plot_matrix(self, ax: "Axes", layer: int = -1, state: str = "h") -> None:
        """log₁₀ of the mean flow from every target t (down) to every k (across), blank where there is none."""
        shown = self.matrix(layer, state).log10().cpu()
        shown[~shown.isfinite()] = torch.nan
        limit = float(shown.nan_to_num(nan=-torch.inf).max()) if bool(shown.isfinite().any()) else 0.0
        image = ax.imshow(shown.numpy(), aspect="auto", vmin=limit - 6, vmax=limit, interpolation="nearest")
        ax.set(xlabel="k", ylabel="t", title=f"{self._layer(layer).name}, {state}")
        places = torch.linspace(0, len(self.targets) - 1, min(6, len(self.targets))).long().tolist()
        ax.set_yticks(places, [str(self.targets[place]) for place in places])
        ax.figure.colorbar(image, ax=ax, label="log₁₀ ‖∂Div(t)/∂state(k)‖")

    def _layer(self, layer: int) -> LayerFlow:
        if not -len(self.layers) <= layer < len(self.layers):
            raise InputError(f"layer is {layer}; this net has {len(self.layers)} layers and directions, from 0")
        return self.layers[layer]


def gradient_flow(
    module: nn.Module,
    batch: Any,
    divergence: Divergence,
    targets: int | Sequence[int] = 16,
    matrix: bool = False,
) -> GradientFlow:
    """‖∂Div(t)/∂h(k)‖ and ‖∂Div(t)/∂c(k)‖ from target times t to all k, per layer, direction and row.

    `module` holds one recurrent stack of peephole's or torch.nn's; `batch` is what it is called with: a tensor, a tuple
    of arguments or a mapping of keywords. `divergence(output)`, of what the module returns (the first, where it returns
    output and states), is a sum over time, so that its gradient at y(t) is that of Div(t). `targets` are times, or how
    many, spread over those that the divergence looks at; with `matrix` all of them. Time and memory grow with
    N·T. Gradients are Hochreiter's (1991) and Bengio, Simard & Frasconi's (1994) ∂Div(t)/∂h(t) ∂h(t)/∂h(k), by the
    closed-form Jacobians, one product a step for all targets. `gradient_bounds` has bounds, and `plot(ax, bounds=…)`
    draws both.

    Raises:
        InputError: the module has no recurrent net, the batch less than two steps, or the divergence ignores a target.
    """
    recording = record(module, batch)
    seeds = seeds_of(recording, divergence)
    chosen = seeds.times if matrix and seeds.times else choose_targets(seeds, recording.steps, targets)
    return flow_of(recording, seeds, chosen)


def flow_of(recording: Recording, seeds: Seeds, targets: tuple[int, ...]) -> GradientFlow:
    """The flow from these targets along a recording."""
    rows = torch.stack([seeds.rows(t, recording.steps) for t in targets])
    return GradientFlow(targets, rows, tuple(LayerFlow(*found) for found in pull_through(recording, seeds, targets)))
