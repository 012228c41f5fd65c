"""Recurrent weights by themselves, and how long what came before is still seen in the states."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from peephole.doctor.case import Case
from peephole.doctor.examination import Examination
from peephole.doctor.measuring.inside import layers_of
from peephole.doctor.measuring.stretch import stretch
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating
from peephole.inside.nets import recurrent_nets
from peephole.inside.trace import trace
from peephole.nn.recurrent import Recurrent

BEFORE, AFTER, ROWS = 16, 64, 16  # steps with other inputs, steps with the same, and rows
GONE = 0.01  # of the difference at the first of the same steps


@dataclass(frozen=True, eq=False)
class Memory:
    """How long the states remember what came before.

    Attributes:
        difference: of each layer the root of the mean square difference of its states between a run and one with other
            inputs up to a step, at each step from then on, relative to the last step with other inputs, `[steps]`.
        radius: of each layer the spectral radius of the recurrent weights of an RNN; of others not there.
    """

    difference: Mapping[str, Tensor]
    radius: Mapping[str, float]

    @property
    def longest(self) -> Tensor:
        """The curve of the layer that remembers longest."""
        return max(self.difference.values(), key=lambda curve: (_lasts(curve), float(curve[-1])))

    @property
    def steps(self) -> int:
        """The first step at which no layer has 1 % of the difference left; the number of steps where one has."""
        return max(_lasts(curve) for curve in self.difference.values())


def memory(examination: Examination) -> Memory | None:
    """Of the net as it is now, on the longest sequences; None without a net or batches, or where they are too short."""
    return remember(examination.case, examination.case.model)


def memory_at_start(examination: Examination) -> Memory | None:
    """Of the net as it was before training."""
    return remember(examination.case, examination.case.start)


@torch.no_grad()
def remember(case: Case, model: nn.Module | None) -> Memory | None:
    """Each row beside one that had the inputs of another row before, and its own after (fading memory: Boyd & Chua
    1985; the echo state property of Jaeger 2001).
    """
    batch = stretch(case, BEFORE + AFTER, ROWS)
    if model is None or batch is None or batch.steps < 4 or batch.rows < 2:
        return None
    before = min(BEFORE, batch.steps // 3)
    other = torch.cat([batch.inputs[:before].roll(1, 1), batch.inputs[before:]])
    try:
        with evaluating(model):
            runs = [_states(case, replace(batch, inputs=inputs), model) for inputs in (batch.inputs, other)]
    except (InputError, RuntimeError):  # a module may refuse what is not as long or wide as in its training
        return None
    curves: dict[str, Tensor] = {}
    for name in runs[0]:
        pairs = zip(runs[0][name], runs[1][name], strict=True)
        apart = torch.stack([(one - two).double().square().mean(dim=(1, 2)) for one, two in pairs])
        curve = apart.sum(0).sqrt()[before - 1 :]
        if len(curve) > 1 and bool(torch.isfinite(curve).all()) and curve[0] > 0:  # strides leave few places
            curves[name] = curve / curve[0]
    return Memory(curves, radii(model)) if curves else None


def radii(model: nn.Module) -> dict[str, float]:
    """The spectral radius of the recurrent weights of each layer and direction of every RNN; with several taps that of
    the system of first order that they make.
    """
    found: dict[str, float] = {}
    nets = recurrent_nets(model)
    for module, net in nets:
        if not (isinstance(net, nn.RNN) or (isinstance(net, Recurrent) and net.spec.family == "rnn")):
            continue
        for name, weight in net.named_parameters():
            if name.startswith("weight_hh") and bool(torch.isfinite(weight).all()):
                layer = name.removeprefix("weight_hh_l").replace("_reverse", " reverse")
                found[f"{module}, layer {layer}" if len(nets) > 1 else f"layer {layer}"] = _radius(weight.detach())
    return found


def _radius(weight: Tensor) -> float:
    units, across = weight.shape
    whole = torch.zeros(across, across, dtype=torch.float64)
    whole[:units] = weight.double().cpu()
    whole[units:, : across - units] = torch.eye(across - units, dtype=torch.float64)
    return float(torch.linalg.eigvals(whole).abs().max())


def _states(case: Case, batch: object, model: nn.Module) -> dict[str, list[Tensor]]:
    with trace(model, gradients=False) as seen:
        case.run(batch, model=model)  # pyright: ignore[reportArgumentType]
    return {
        name: [values[state] for state in ("h", "c") if state in values]
        for name, _, reverse, values in layers_of(seen)
        if not reverse
    }


def _lasts(curve: Tensor) -> int:
    under = (curve < GONE).nonzero()
    return int(under[0]) if len(under) else len(curve)
