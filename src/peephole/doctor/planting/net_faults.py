"""Faults of the net: its size, and the weights that it starts from; each function as those of `data_faults`."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from peephole.doctor.planting.plan import Plan
from peephole.doctor.planting.tasks import HealthyTask
from peephole.models.sequence import SequenceModel
from peephole.nn.initialisation import gate_rows

LAGS = (60, 120, 250)  # steps to remember over that are too many


def gradient_explodes(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A tanh net whose recurrent weights amplify, and no limit to the gradient."""
    gain = (2.0, 3.0, 4.5)[strength]
    longer = {"adding": {"length": 60}, "recall": {"lag": 40}, "waves": {"length": 80}}.get(task.name, {})
    training: dict[str, Any] = {"clip_norm": None}
    return Plan("rnn", longer, {}, training, start=_scaled("weight_hh", gain))


def weights_blow_up(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A ReLU net whose state grows from step to step."""
    gain = (1.3, 1.6, 2.0)[strength]
    return Plan("rnn", model={"nonlinearity": "relu"}, start=_scaled("weight_hh", gain))


def weights_forget(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A tanh net whose recurrent weights leave nothing of the state after a step or two."""
    return Plan("rnn", start=_scaled("weight_hh", (0.1, 0.03, 0.005)[strength]))


def bias_forgets(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A forget gate that begins shut."""
    return Plan("lstm", model={"init": "orthogonal", "forget_bias": (-2.0, -4.0, -6.0)[strength]})


def gates_stuck(task: HealthyTask, strength: int, variant: int) -> Plan:
    """An input or output gate that is never open; a GRU most or all of whose states never change."""
    if variant:
        return Plan("gru", start=_gate_at("z", 24.0, (0.75, 0.9, 1.0)[strength]))
    gate, bias = (("o", -5.0), ("o", -8.0), ("i", -20.0))[strength]
    return Plan("lstm", start=_gate_at(gate, bias, 1.0))


def saturated(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A tanh net whose inputs drive it to its ends."""
    return Plan("rnn", start=_scaled("weight_ih", (30.0, 100.0, 300.0)[strength]))


def dead_units(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A ReLU net most or all of whose units never fire."""
    share = (0.7, 0.9, 1.0)[strength]

    def change(net: SequenceModel) -> None:
        bias = _parameter(net, "bias_ih")
        bias[: round(share * len(bias))] = -20.0

    return Plan("rnn", model={"nonlinearity": "relu"}, start=change)


def beyond_horizon(task: HealthyTask, strength: int, variant: int) -> Plan:
    """More steps to remember over than a tanh net, as torch starts it, carries a gradient through."""
    assert task.problem is not None
    name = task.problem.size_name
    return Plan("rnn", {name: LAGS[strength]}, {"init": "torch", "nonlinearity": "tanh"})


def too_small(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A net of a few units."""
    return Plan(model={"hidden_size": (4, 2, 1)[strength]})


def _parameter(net: SequenceModel, name: str) -> Tensor:
    return net.recurrent.get_parameter(f"{name}_l0")


def _scaled(name: str, gain: float) -> Callable[[SequenceModel], None]:
    def change(net: SequenceModel) -> None:
        _parameter(net, name).mul_(gain)

    return change


def _gate_at(gate: str, bias: float, share: float) -> Callable[[SequenceModel], None]:
    """Set the bias of a share of a gate's units."""

    def change(net: SequenceModel) -> None:
        first = gate_rows(net.config.spec, gate, net.config.hidden_size).start
        _parameter(net, "bias_ih")[first : first + round(share * net.config.hidden_size)] = bias

    return change
