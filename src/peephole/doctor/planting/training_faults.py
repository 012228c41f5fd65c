"""Faults of the training's settings; each function as those of `data_faults`."""

from peephole.doctor.planting.plan import Plan
from peephole.doctor.planting.tasks import HealthyTask

NORM = 0.25  # usual length of the gradient while most is learnt, in all of the tasks
STEEP = {"addition": 2, "waves": 2}  # tasks that larger steps suit


def updates_lost(task: HealthyTask, strength: int, variant: int) -> Plan:
    """Weights kept in bfloat16, with updates smaller than half of its spacing for most of them."""
    return Plan(rounds=True, training={"learning_rate": (1e-3, 4e-4, 1e-4)[strength]})


def rate_too_high(task: HealthyTask, strength: int, variant: int) -> Plan:
    """Thirty to three hundred times what suits the task."""
    factor = (30, 100, 300)[strength] * STEEP.get(task.name, 1)
    return Plan(training={"learning_rate": task.training.learning_rate * factor})


def rate_too_low(task: HealthyTask, strength: int, variant: int) -> Plan:
    """A thirtieth to a thousandth of what suits the task."""
    return Plan(training={"learning_rate": task.training.learning_rate / (30, 100, 1000)[strength]})


def clipping_always(task: HealthyTask, strength: int, variant: int) -> Plan:
    """Plain gradient descent whose limit is far below the usual length of the gradient."""
    limit = NORM / (10, 100, 1000)[strength]
    return Plan(training={"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.1, "clip_norm": limit})


def window_too_short(task: HealthyTask, strength: int, variant: int) -> Plan:
    """Windows through which no gradient reaches what has to be remembered."""
    if task.problem is None:
        window = (4, 2, 1)[strength]
        return Plan(training={"window": window, "steps": 2 * (task.training.steps or 0)})
    cut = max(1, task.problem.span // (2, 4, 8)[strength])
    return Plan(cut=cut, training={"steps": min(1500, (task.training.steps or 0) * (2, 3, 4)[strength])})
