"""Faults of the net: its size, and the weights that it starts from; each function as those of `data_faults`."""

from collections.abc import Callable
from typing import Any

import torch
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
    gain = (1.15, 1.4, 2.0)[strength]
    return Plan("rnn", model={"nonlinearity": "relu"}, start=_scaled("weight_hh", gain))


def weights_forget(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A tanh net whose recurrent weights leave nothing of the state after a step or two."""
    return Plan("rnn", start=_scaled("weight_hh", (0.2, 0.05, 0.005)[strength]))


def bias_forgets(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A forget gate that begins shut."""
    return Plan("lstm", model={"init": "orthogonal", "forget_bias": (-2.0, -4.0, -6.0)[strength]})


def gates_stuck(task: HealthyTask, strength: int, variant: int) -> Plan:
    """An input or output gate that is never open; a GRU whose states never change."""
    bias = (5.0, 8.0, 12.0)[strength]
    if variant:
        return Plan("gru", start=_gate_at("z", bias))
    gate = ("o", "i", "o")[strength]
    return Plan("lstm", start=_gate_at(gate, -bias))


def saturated(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A tanh net whose inputs drive it to its ends."""
    return Plan("rnn", start=_scaled("weight_ih", (10.0, 30.0, 100.0)[strength]))


def dead_units(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A ReLU net of which half to all units never fire."""
    share = (0.5, 0.75, 1.0)[strength]

    def change(net: SequenceModel) -> None:
        bias = _parameter(net, "bias_ih")
        bias[: round(share * len(bias))] = -20.0

    return Plan("rnn", model={"nonlinearity": "relu"}, start=change)


def beyond_horizon(task: HealthyTask, strength: int, variant: int) -> Plan:
    """More steps to remember over than a tanh net, or a GRU, as torch starts them, carry a gradient through."""
    assert task.problem is not None
    name = task.problem.size_name
    return Plan("gru" if variant else "rnn", {name: LAGS[strength]}, {"init": "torch"})


def too_small(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A net of a few units."""
    return Plan(model={"hidden_size": (4, 2, 1)[strength]})


def _parameter(net: SequenceModel, name: str) -> Tensor:
    return net.recurrent.get_parameter(f"{name}_l0")


def _scaled(name: str, gain: float) -> Callable[[SequenceModel], None]:
    def change(net: SequenceModel) -> None:
        _parameter(net, name).mul_(gain)

    return change


def _gate_at(gate: str, bias: float) -> Callable[[SequenceModel], None]:
    def change(net: SequenceModel) -> None:
        rows = gate_rows(net.config.spec, gate, net.config.hidden_size)
        _parameter(net, "bias_ih")[rows] = torch.tensor(bias)

    return change
