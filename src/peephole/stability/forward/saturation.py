"""Bounded input, bounded output, by cell; and how far real input drives a net towards its bounds."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from peephole.spec import BUILT_IN, CellSpec
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import record
from peephole.stability.steps import linearise
from peephole.stability.steps.gru import GRUSteps
from peephole.stability.steps.lstm import LSTMSteps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEAR = 0.05  # a gate or unit within this share of its range from an end counts as saturated


def state_bounds(spec: CellSpec, steps: int, start: float = 0.0) -> dict[str, float]:
    """What |h| and |c| cannot exceed after `steps`, from states of at most `start`, whatever weights and input are.

    RNN: 1 for tanh, sigmoid and softmax, none for ReLU and identity (`linear_bound` has one that depends on W); a
    residual adds it at every step. LSTM: |c_t| ≤ |c_{t−1}| + 1, and |c_t| ≤ 1 where the forget gate is 1 − i;
    |h_t| ≤ 1 through the output's tanh. GRU: h_t lies between h_{t−1} and a tanh. Infinite where there is no bound, and
    for a projection, whose bound is that of W_hr, and a cell of one's own.
    """
    if spec.family == "rnn":
        step = 1.0 if spec.nonlinearity in ("tanh", "sigmoid", "softmax") else math.inf
        return {"h": max(start, step) if spec.residual == "none" else start + step * steps}
    if spec.family == "gru":
        return {"h": max(start, 1.0)}
    if spec.family == "lstm":
        candidate = 1.0 if spec.input_activation else math.inf
        cell = max(start, candidate) if spec.coupled else start + candidate * steps
        hidden = math.inf if spec.projected else (1.0 if spec.output_activation else cell)
        return {"h": hidden, "c": cell}
    return {spec.states[0]: math.inf}


@dataclass(frozen=True, eq=False)
class LayerSaturation:
    """One layer and direction. `largest` is the largest |state| after each of its steps, `[T]`; `bounds` what it cannot
    exceed after T steps; `saturated` the share of numbers that lie within 5 % of an end of their range: units behind a
    tanh or sigmoid, and gates.
    """

    name: str
    largest: dict[str, Tensor]
    bounds: dict[str, float]
    saturated: dict[str, float]

    @property
    def verdict(self) -> str:
        """How far it was driven."""
        reached = ", ".join(
            f"|{state}| reaches {float(curve.max()):.3g} of {self.bounds[state]:.3g}"
            if math.isfinite(self.bounds[state])
            else f"|{state}| reaches {float(curve.max()):.3g} and has no bound"
            for state, curve in self.largest.items()
        )
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.saturated.items())
        return f"{self.name}: {reached}" + (f"; saturated: {shares}" if shares else "")


@dataclass(frozen=True, eq=False)
class Saturation:
    """What `saturation` found."""

    layers: tuple[LayerSaturation, ...]

    @property
    def verdict(self) -> str:
        """How far every layer was driven."""
        return "; ".join(layer.verdict for layer in self.layers) + "."

    def plot(self, ax: "Axes") -> None:
        """The largest |state| over time, with its bound where there is one in sight."""
        highest = 0.0
        for place, layer in enumerate(self.layers):
            for state, curve in layer.largest.items():
                style = "--" if state == "c" else "-"
                ax.plot(curve.cpu().numpy(), style, color=f"C{place}", label=f"{layer.name} {state}")
                highest = max(highest, float(curve.max()))
        steps = len(next(iter(self.layers[0].largest.values())))
        bounds = {bound for layer in self.layers for bound in layer.bounds.values()}
        for bound in sorted(bounds):
            if bound <= 3 * highest:
                ax.axhline(bound, color="0.6", linewidth=1)
        if any(layer.bounds.get("c") == steps for layer in self.layers):
            ax.axline((0, 0), slope=1.0, color="0.6", linewidth=1, label="|c| ≤ t")
        ax.set(xlabel="t", ylabel="largest |state| over units and rows", ylim=(0, 1.1 * highest or 1.0))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)


@torch.no_grad()
def saturation(module: nn.Module, batch: Any) -> Saturation:
    """How far `batch` drives the states and gates of every layer and direction, beside what they cannot exceed.

    `module` and `batch` as `gradient_flow` takes them.
    """
    return Saturation(tuple(_measure(passage) for passage in record(module, batch, shortest=1).passages))


def _measure(passage: Passage) -> LayerSaturation:
    spec, steps = passage.spec, passage.steps
    begun = passage.x.new_zeros(steps, passage.batch, dtype=torch.bool)  # where a row starts
    begun[passage.order[0]] = True
    if passage.cut is not None:
        begun |= passage.cut[..., 0]
    start = max(float(state[begun].abs().max()) for state in passage.before)
    bounds = state_bounds(spec, steps, start)
    if spec.projected:  # h = W_hr u, and |u| ≤ 1, or |c| without the output's tanh
        widest = float(passage.weights["weight_hr"].abs().sum(1).max())
        bounds["h"] = max(start, widest * (1.0 if spec.output_activation else bounds["c"]))
    ended = passage.alive is not None and bool((~passage.alive).all(0).any())
    if ended or (passage.zoneout and passage.zoneout[0]):  # then what h started with is kept, in part or whole
        bounds[spec.states[0]] = max(bounds[spec.states[0]], start)
    of_state = dict(zip(spec.states, passage.after, strict=True))
    largest = {state: of_state[state].abs().amax((1, 2)) for state in bounds}
    if passage.reverse:
        largest = {state: curve.flip(0) for state, curve in largest.items()}
    return LayerSaturation(passage.name, largest, bounds, _saturated(passage))


def _saturated(passage: Passage) -> dict[str, float]:
    spec = passage.spec
    if spec.family not in BUILT_IN:
        return {}
    if spec.family == "rnn":
        ends = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0)}.get(spec.nonlinearity)
        if ends is None or spec.residual != "none":
            return {}
        return {"h": _at_ends(passage, passage.after[0], *ends)}
    one = linearise(passage)
    assert isinstance(one, LSTMSteps | GRUSteps)
    gates = one.gates
    tanh = {"g", "n"} if spec.family != "lstm" or spec.input_activation else set()
    return {
        name: _at_ends(passage, value, -1.0 if name in tanh else 0.0, 1.0)
        for name, value in gates.items()
        if name != "g" or tanh
    }


def _at_ends(passage: Passage, values: Tensor, low: float, high: float) -> float:
    margin = NEAR * (high - low)
    near = ((values < low + margin) | (values > high - margin)).to(values.dtype)
    if passage.alive is None:
        return float(near.mean())
    alive = passage.alive.to(values.dtype)
    return float((near * alive).sum() / (alive.sum() * values.shape[-1]).clamp_min(1))
