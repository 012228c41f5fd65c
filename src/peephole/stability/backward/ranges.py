"""How large the factors of a step can become, by the weights alone: for inputs as large as a batch's, whatever comes.

Interval arithmetic. The input's features stay in their range on the batch, |h| and |c| under bounds that no step can
leave, and so does every gate. `docs/bounds.md` has the derivation.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from peephole.stability.backward.step_bounds import SLOPES, Factors
from peephole.stability.recordings.passage import Passage
from peephole.stability.steps.gru import GRUSteps
from peephole.stability.steps.linearised import Linearised
from peephole.stability.steps.lstm import LSTMSteps
from peephole.stability.steps.rnn import RNNSteps

ROUNDS = 200  # of widening |c| until no step leaves it
FAR = 10.0  # how far over what happened a bound on |c| is still worth taking: f near 1 allows astronomical ones
SLACK = 1e-6  # by which each round is widened further, so that the last one is a bound and not a limit


@dataclass(frozen=True)
class Range:
    """Lower and upper ends, component by component."""

    low: Tensor
    high: Tensor

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.high + other.high)

    @property
    def size(self) -> Tensor:
        """The largest absolute value."""
        return torch.maximum(self.low.abs(), self.high.abs())

    @property
    def nearest(self) -> Tensor:
        """What is nearest to 0, where sigmoid and tanh are steepest."""
        return torch.zeros_like(self.low).clamp(self.low, self.high)

    def weighed(self, weight: Tensor) -> "Range":
        """W v; a vector stands for a diagonal matrix."""
        if weight.dim() == 1:
            ends = weight * self.low, weight * self.high
            return Range(torch.minimum(*ends), torch.maximum(*ends))
        up, down = weight.clamp_min(0), weight.clamp_max(0)
        return Range(up @ self.low + down @ self.high, up @ self.high + down @ self.low)


def around_zero(size: Tensor) -> Range:
    """[−size, size]."""
    return Range(-size, size)


def possible(one: Linearised) -> tuple[Factors, tuple[str, ...]]:
    """The largest factors of any step, and what of the batch that takes for granted, as text."""
    assert isinstance(one, RNNSteps | LSTMSteps | GRUSteps)
    norms = {gate: norm.norms().double().max() for gate, norm in one.norms.items()}
    assumed = ("layer norm's smallest s on this batch",) if one.spec.layer_norm else ()
    if isinstance(one, RNNSteps):
        return Factors({"h": SLOPES[one.spec.nonlinearity] * norms["h"]}), assumed
    cell = _Cell(one.passage)
    if isinstance(one, GRUSteps):
        return _gru(cell, norms), (*assumed, "inputs no larger than this batch's")
    c, measured = cell.bound_of_cell(), torch.maximum(_largest(one.cell), cell.begun[1])
    if c is None:
        c, text = measured, "largest on this batch: the weights do not bound it"
    elif c.max() > FAR * measured.max().clamp_min(1):
        c, text = measured, f"largest on this batch: the weights allow {float(c.max()):.2g}"
    else:
        text = "by the weights"
    return _lstm(cell, c, norms), (
        *assumed,
        "inputs no larger than this batch's",
        f"|c| ≤ {float(c.max()):.3g}, {text}",
    )


class _Cell:
    """A passage's weights in float64, its inputs' range and the states that it began with."""

    def __init__(self, passage: Passage) -> None:
        self.passage, self.spec = passage, passage.spec
        self.weights = {name: weight.double() for name, weight in passage.weights.items()}
        x = passage.x.double()
        x = x.flatten(0, 1) if passage.alive is None else x[passage.alive[..., 0]]
        x = x if len(x) else x.new_zeros(1, x.shape[-1])  # no row takes a step
        entering = Range(x.amin(0), x.amax(0)).weighed(self.weights["weight_ih"])
        if "bias_ih" in self.weights:
            entering = Range(entering.low + self.weights["bias_ih"], entering.high + self.weights["bias_ih"])
        self._entering = entering
        self.begun = tuple(_largest(self._first(state)) for state in passage.before)

    def _first(self, state: Tensor) -> Tensor:
        """The states that sequences began with, at the first step and behind borders."""
        first = state[self.passage.order[0]]
        return first if self.passage.cut is None else torch.cat([first, state[self.passage.cut[..., 0]]])

    def input_side(self, gate: str) -> Range:
        """W_ih x + b_ih of a gate."""
        row = self.spec.gates.index(gate)
        low, high = (end.chunk(len(self.spec.gates))[row] for end in (self._entering.low, self._entering.high))
        return Range(low, high)

    def block(self, name: str, gate: str) -> Tensor:
        """A gate's rows of stacked weights."""
        names = {"weight_ch": self.spec.peephole_gates, "weight_gh": self.spec.sigmoid_gates}
        gates = names.get(name, self.spec.gates)
        return self.weights[name].chunk(len(gates))[gates.index(gate)]

    def state_side(self, gate: str, h: Tensor) -> Range:
        """W_hh h + b_hh of a gate, where |h| is bounded."""
        found = around_zero(h).weighed(self.block("weight_hh", gate))
        bias = self.block("bias_hh", gate) if "bias_hh" in self.weights else torch.zeros_like(found.low)
        return Range(found.low + bias, found.high + bias)

    def normalised(self, gate: str, z: Range) -> Range:
        """n = w ∘ ẑ + b, where no |ẑ| is over √(H − 1), since their mean is 0 and their mean square at most 1."""
        if not self.spec.layer_norm:
            return z
        unit = (len(z.low) - 1) ** 0.5
        found = around_zero(self.block("weight_ln", gate).abs() * unit)
        shift = self.block("bias_ln", gate) if self.spec.bias else torch.zeros_like(found.low)
        return Range(found.low + shift, found.high + shift)

    def bound_of_cell(self) -> Tensor | None:
        """C `[H]` that |c| does not leave: |c₀| ≤ C and f C + i |g| ≤ C. None where rounds of widening find none."""
        bound = self.begun[1]
        for _ in range(ROUNDS):
            gates = self.lstm_gates(bound)
            candidate = self.candidate(gates)
            if self.spec.coupled:  # c_t lies between c_{t−1} and g_t
                needed = candidate
            elif "f" in gates:
                written = torch.sigmoid(gates["i"].high) if "i" in gates else 1.0
                needed = written * candidate / torch.sigmoid(-gates["f"].high)  # 1 − f
            else:
                return None
            needed = torch.maximum(needed, self.begun[1])
            if bool((needed <= bound).all()):
                return bound
            bound = torch.maximum(needed, bound) * (1 + SLACK)
            if not bool(torch.isfinite(bound).all()):
                return None
        return None

    def lstm_gates(self, cell: Tensor) -> dict[str, Range]:
        """The range of each normalised pre-activation where |c| ≤ `cell`."""
        h = self.begun[0]
        shown = torch.tanh(cell) if self.spec.output_activation else cell  # o ≤ 1
        if self.spec.projected:
            shown = self.weights["weight_hr"].abs() @ shown
        h = torch.maximum(h, shown)
        found: dict[str, Range] = {}
        for gate in self.spec.gates:
            z = self.input_side(gate) + self.state_side(gate, h)
            if gate in self.spec.peephole_gates:
                z = z + around_zero(cell).weighed(self.block("weight_ch", gate))
            if self.spec.gate_recurrence and gate != "g":
                fed = torch.cat(self.begun[2:])  # gates are in (0, 1), those given at the start may be anything
                z = z + Range(-fed, fed.clamp_min(1)).weighed(self.block("weight_gh", gate))
            found[gate] = self.normalised(gate, z)
        return found

    def candidate(self, gates: dict[str, Range]) -> Tensor:
        """|g|."""
        size = gates["g"].size
        return torch.tanh(size) if self.spec.input_activation else size


def _lstm(cell: _Cell, c: Tensor, norms: dict[str, Tensor]) -> Factors:
    spec, gates = cell.spec, cell.lstm_gates(c)
    g, one = cell.candidate(gates), torch.ones_like(c)
    written = torch.sigmoid(gates["i"].high) if "i" in gates else one
    slopes = {gate: _sigmoid_slope(gates[gate]) for gate in spec.sigmoid_gates}
    slopes["g"] = 1 - torch.tanh(gates["g"].nearest).square() if spec.input_activation else one
    reach = {"i": g + c if spec.coupled else g, "f": c, "g": written}
    reach["o"] = torch.tanh(c) if spec.output_activation else c
    kept = one
    if "f" in gates:
        kept = torch.sigmoid(gates["f"].high)
    elif spec.coupled:
        kept = torch.sigmoid(-gates["i"].low)
    shown = torch.sigmoid(gates["o"].high) if "o" in gates else one
    return Factors(
        {gate: (reach[gate] * slopes[gate]).max() * norms[gate] for gate in spec.gates},
        kept.max(),
        shown.max(),
        opened={gate: slopes[gate].max() * norms[gate] for gate in spec.sigmoid_gates},
    )


def _gru(cell: _Cell, norms: dict[str, Tensor]) -> Factors:
    spec = cell.spec
    h = cell.begun[0].clamp_min(1)  # h_t lies between h_{t−1} and n_t
    gates = {gate: cell.normalised(gate, cell.input_side(gate) + cell.state_side(gate, h)) for gate in spec.gates[:-1]}
    z = gates["z"] if spec.update == "keeps" else Range(-gates["z"].high, -gates["z"].low)
    factors = {"z": (h + 1) * _sigmoid_slope(z), "n": torch.sigmoid(-z.low)}
    reset = torch.ones_like(h)
    if "r" in gates:
        weighed = h if spec.reset == "before" else cell.state_side("n", h).size
        factors["r"], reset = weighed * _sigmoid_slope(gates["r"]), torch.sigmoid(gates["r"].high)
    return Factors(
        {gate: factor.max() * norms[gate] for gate, factor in factors.items()},
        torch.sigmoid(z.high).max(),
        reset=reset.max(),
    )


def _sigmoid_slope(z: Range) -> Tensor:
    steepest = torch.sigmoid(z.nearest)
    return steepest * (1 - steepest)


def _largest(state: Tensor) -> Tensor:
    """Of each unit over all steps and rows."""
    return state.double().abs().flatten(0, -2).amax(0)
