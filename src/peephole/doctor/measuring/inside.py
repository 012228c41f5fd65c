"""What gates, states and activations do on some batches: shares, means and sizes of each recurrent layer."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from peephole.doctor.case import Case
from peephole.doctor.examination import Examination
from peephole.doctor.measuring.stretch import stretch
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating
from peephole.inside.nets import recurrent_nets
from peephole.inside.seen import Seen
from peephole.inside.trace import trace
from peephole.spec import CellSpec

STEPS, ROWS = 160, 16  # looked at
LEFT, RIGHT = 0.1, 0.9  # a gate below or above is saturated (Karpathy, Johnson & Fei-Fei 2015, 4.2)
FROZEN = 0.02  # of a gate that is as good as at its end: of what it lets through a hundredth is left after 230 steps
FAR = 3.0  # a tanh whose argument is larger passes less than 1 % of a gradient


@dataclass(frozen=True)
class GateSeen:
    """One gate over all units, rows and steps: its mean, the shares under 0.1 and above 0.9, and how much it varies:
    the median over units of the deviation over rows and steps. `frozen_open` and `frozen_shut` are the shares of units
    whose gate never leaves such an end by more than a fiftieth.
    """

    mean: float
    shut: float
    open: float
    varies: float
    frozen_open: float = 0.0
    frozen_shut: float = 0.0


@dataclass(frozen=True, eq=False)
class LayerInside:
    """One layer and direction of a recurrent net.

    Attributes:
        name: `layer 0`, with the net's name before it where the model has several.
        spec: the cell.
        gates: each gate behind a sigmoid.
        kept: of each unit the mean share of its state that a step keeps by its gates, `[U]`: f, 1 − i where the two are
            coupled, of a GRU what its update gate keeps; None without such a gate.
        slope: the mean derivative of the tanh that h (RNN) or the candidate (LSTM, GRU) comes from, 0 to 1; NaN where
            it is no tanh.
        far: the share of that tanh's arguments beyond ±3.
        dead: of a ReLU the share of units that never fire; NaN of others.
        sizes: of each state the root of the mean square over rows and units after each step, `[T]`, in the layer's
            direction.
    """

    name: str
    spec: CellSpec
    gates: Mapping[str, GateSeen]
    kept: Tensor | None
    slope: float
    far: float
    dead: float
    sizes: Mapping[str, Tensor]

    @property
    def finite(self) -> bool:
        """Whether all states are."""
        return all(bool(torch.isfinite(curve).all()) for curve in self.sizes.values())


@dataclass(frozen=True, eq=False)
class Inside:
    """The recurrent layers, in the order in which they run; `relus`: the share of dead units of each `nn.ReLU`."""

    layers: tuple[LayerInside, ...]
    relus: Mapping[str, float]


def inside(examination: Examination) -> Inside | None:
    """Of the net as it is now, in evaluation mode; None without a net, batches, or where it does not run on them."""
    return look_inside(examination.case, examination.case.model)


def inside_at_start(examination: Examination) -> Inside | None:
    """Of the net as it was before training; None where that is not known."""
    return look_inside(examination.case, examination.case.start)


@torch.no_grad()
def look_inside(case: Case, model: nn.Module | None) -> Inside | None:
    """What `model` does on the longest sequences of the case."""
    batch = stretch(case, STEPS, ROWS)
    if model is None or batch is None:
        return None
    fired: dict[str, Tensor] = {}
    handles = [
        part.register_forward_hook(_fires(name, fired))
        for name, part in model.named_modules()
        if isinstance(part, nn.ReLU)
    ]
    try:
        with evaluating(model):
            if not _has_nets(model):
                case.run(batch, model=model)
                return Inside((), _dead(fired))
            with trace(model, preactivations=True, gradients=False) as seen:
                case.run(batch, model=model)
    except (InputError, RuntimeError):  # a module may refuse what is not as long or wide as in its training
        return None
    finally:
        for handle in handles:
            handle.remove()
    return Inside(tuple(LayerOf(*each).looked() for each in layers_of(seen)), _dead(fired))


def layers_of(seen: Seen, wanted: str = "") -> list[tuple[str, CellSpec, bool, dict[str, Tensor]]]:
    """Of each layer and direction its name, cell, whether it runs backwards, and all `[T, B, U]` by name.

    A net that is called several times, a step at a time say, has its calls joined. `wanted` is what names begin with.
    """
    several = len({call.module for call in seen.calls}) > 1
    parts: dict[tuple[str, str], list[tuple[CellSpec, bool, dict[str, Tensor]]]] = {}
    for call in seen.calls:
        for layer in call.layers:
            values = {name: layer[name] for name in layer.names if name.startswith(wanted)}
            parts.setdefault((call.module, layer.name), []).append((layer.spec, layer.reverse, values))
    found: list[tuple[str, CellSpec, bool, dict[str, Tensor]]] = []
    for (module, name), calls in parts.items():
        spec, reverse, first = calls[0]
        alike = [
            values for _, _, values in calls if all(values[key].shape[1:] == first[key].shape[1:] for key in first)
        ]
        joined = {key: torch.cat([values[key] for values in alike]) for key in first} if len(alike) > 1 else first
        found.append((f"{module}, {name}" if several else name, spec, reverse, joined))
    return found


@dataclass(frozen=True, eq=False)
class LayerOf:
    """What was traced of a layer, for counting."""

    name: str
    spec: CellSpec
    reverse: bool
    values: Mapping[str, Tensor]

    def looked(self) -> LayerInside:
        """The numbers."""
        gates = {"lstm": "ifo", "gru": "rz"}.get(self.spec.family, "")
        slope, far = self._tanh()
        return LayerInside(
            self.name,
            self.spec,
            {gate: _gate(self.values[gate]) for gate in gates if gate in self.values},
            self._kept(),
            slope,
            far,
            self._dead(),
            {state: self._sizes(self.values[state]) for state in ("h", "c") if state in self.values},
        )

    def _kept(self) -> Tensor | None:
        if self.spec.family == "lstm" and "f" in self.values:
            return self.values["f"].flatten(0, 1).mean(0)
        if self.spec.family == "lstm" and self.spec.coupled and "i" in self.values:
            return 1.0 - self.values["i"].flatten(0, 1).mean(0)
        if self.spec.family == "gru" and "z" in self.values:
            z = self.values["z"].flatten(0, 1).mean(0)
            return z if self.spec.update == "keeps" else 1.0 - z
        return None

    def _tanh(self) -> tuple[float, float]:
        family = self.spec.family
        name = {"lstm": "g", "gru": "n", "rnn": "h"}.get(family, "")
        straight = family == "lstm" and not self.spec.input_activation
        other = family == "rnn" and self.spec.nonlinearity != "tanh"
        before = self.values.get(f"z_{name}")
        if before is None or straight or other:
            return math.nan, math.nan
        slope = 1.0 - before.tanh().square()
        return float(slope.mean()), float((before.abs() > FAR).float().mean())

    def _dead(self) -> float:
        if self.spec.family != "rnn" or self.spec.nonlinearity != "relu" or "z_h" not in self.values:
            return math.nan
        return float((self.values["z_h"] <= 0).flatten(0, 1).all(0).float().mean())

    def _sizes(self, values: Tensor) -> Tensor:
        curve = values.double().square().mean(dim=(1, 2)).sqrt()
        return curve.flip(0) if self.reverse else curve


def _gate(values: Tensor) -> GateSeen:
    return GateSeen(
        float(values.mean()),
        float((values < LEFT).float().mean()),
        float((values > RIGHT).float().mean()),
        float(values.flatten(0, 1).std(0).median()),
        float((values.flatten(0, 1) > 1 - FROZEN).all(0).float().mean()),
        float((values.flatten(0, 1) < FROZEN).all(0).float().mean()),
    )


def _fires(name: str, fired: dict[str, Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def hook(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        now = (output > 0).flatten(0, -2).any(0)
        fired[name] = fired[name] | now if name in fired else now

    return hook


def _dead(fired: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float((~each).float().mean()) for name, each in fired.items()}


def _has_nets(model: nn.Module) -> bool:
    try:
        return bool(recurrent_nets(model))
    except InputError:
        return False
