"""`Fault`: a cause of the doctor's at a strength, what it changes, and in which tasks it can be planted."""

from collections.abc import Callable
from dataclasses import dataclass

from peephole.doctor.finding import CAUSES
from peephole.doctor.planting import data_faults, net_faults, training_faults
from peephole.doctor.planting.plan import Plan
from peephole.doctor.planting.tasks import TASKS, HealthyTask
from peephole.errors import InputError

STRENGTHS = (1, 2, 3)
TEXTS = ("text", "shakespeare", "kernel", "wiki")


@dataclass(frozen=True)
class Fault:
    """One of `CAUSES` at strength 1, mild but harmful, to 3, gross."""

    cause: str
    strength: int

    def __post_init__(self) -> None:
        if self.cause not in CAUSES:
            raise InputError(f"{self.cause!r}: no cause that can be planted; expected one of {', '.join(CAUSES)}")
        if self.strength not in STRENGTHS:
            raise InputError(f"strength is {self.strength}; expected 1, 2 or 3")


@dataclass(frozen=True)
class Planting:
    """`plan(task, strength, variant)`: what a fault changes of a task; the variant is 0 or 1. `tasks` are those that
    it can be planted in.
    """

    plan: Callable[[HealthyTask, int, int], Plan]
    tasks: tuple[str, ...]


PLANTINGS: dict[str, Planting] = {
    "not a number": Planting(
        data_faults.not_a_number, ("text", "adding", "recall", "waves", "glass", "brackets", "kernel")
    ),
    "nothing to predict": Planting(
        data_faults.nothing_to_predict,
        ("text", "parity", "adding", "recall", "waves", "glass", "shakespeare", "wiki", "brackets"),
    ),
    "targets shifted": Planting(
        data_faults.targets_shifted, ("text", "parity", "waves", "glass", "shakespeare", "wiki", "kernel")
    ),
    "padding in the divergence": Planting(
        data_faults.padding_counted, ("text", "addition", "adding", "parity", "waves", "glass", "brackets", "kernel")
    ),
    "batch rows that leak": Planting(
        data_faults.rows_leak,
        ("text", "parity", "adding", "recall", "waves", "glass", "temporal-order", "echo", "shakespeare", "wiki"),
    ),
    "state carried across unrelated sequences": Planting(
        data_faults.state_carried,
        ("parity", "recall", "copying", "adding", "temporal-order", "echo", "waves", "glass", "brackets"),
    ),
    "data in both splits": Planting(data_faults.in_both_splits, TEXTS),
    "inputs not normalised": Planting(data_faults.not_normalised, ("adding", "waves", "glass")),
    "bfloat16 loses updates": Planting(
        training_faults.updates_lost, ("text", "adding", "recall", "waves", "glass", "shakespeare", "wiki")
    ),
    "learning rate too high": Planting(
        training_faults.rate_too_high,
        ("text", "addition", "recall", "waves", "glass", "brackets", "shakespeare", "wiki"),
    ),
    "learning rate too low": Planting(
        training_faults.rate_too_low,
        ("text", "addition", "adding", "copying", "waves", "glass", "temporal-order", "echo", "kernel"),
    ),
    "clipping on every step": Planting(
        training_faults.clipping_always,
        ("parity", "addition", "recall", "waves", "glass", "temporal-order", "echo", "brackets"),
    ),
    "exploding gradient": Planting(
        net_faults.gradient_explodes,
        ("text", "copying", "recall", "waves", "glass", "temporal-order", "echo", "kernel"),
    ),
    "recurrent weights that blow up": Planting(
        net_faults.weights_blow_up, ("text", "adding", "temporal-order", "shakespeare", "wiki")
    ),
    "recurrent weights that forget": Planting(
        net_faults.weights_forget, ("parity", "copying", "temporal-order", "echo", "brackets")
    ),
    "forget bias that forgets": Planting(
        net_faults.bias_forgets, ("recall", "adding", "copying", "temporal-order", "echo", "brackets")
    ),
    "gates stuck": Planting(
        net_faults.gates_stuck, ("text", "recall", "adding", "waves", "glass", "temporal-order", "echo", "kernel")
    ),
    "saturated activations": Planting(
        net_faults.saturated, ("text", "copying", "waves", "glass", "shakespeare", "wiki")
    ),
    "dead ReLU units": Planting(net_faults.dead_units, ("text", "copying", "adding", "waves", "glass", "kernel")),
    "dependency beyond the horizon": Planting(
        net_faults.beyond_horizon, ("recall", "adding", "temporal-order", "echo")
    ),
    "window shorter than the dependency": Planting(
        training_faults.window_too_short,
        ("recall", "copying", "adding", "temporal-order", "echo", "text", "shakespeare", "wiki"),
    ),
    "net too large for the data": Planting(
        data_faults.too_little_data, ("text", "adding", "recall", "waves", "glass", "shakespeare", "wiki", "kernel")
    ),
    "net too small for the data": Planting(
        net_faults.too_small, ("text", "addition", "copying", "shakespeare", "wiki", "kernel", "waves", "glass")
    ),
}


def plan_of(fault: Fault, task: HealthyTask, seed: int) -> Plan:
    """What a fault changes of a task. `InputError` where it cannot be planted there."""
    planting = PLANTINGS[fault.cause]
    if task.name not in planting.tasks:
        raise InputError(f"{fault.cause} cannot be planted in {task.name}; expected one of {', '.join(planting.tasks)}")
    return planting.plan(task, fault.strength - 1, seed % 2)


def faults_of(task: str) -> tuple[Fault, ...]:
    """All faults that can be planted in a task, by cause and strength."""
    assert task in TASKS
    causes = [cause for cause in CAUSES if task in PLANTINGS[cause].tasks]
    return tuple(Fault(cause, strength) for cause in causes for strength in STRENGTHS)
