"""Healthy small trainings by name: each learns its task clearly within seconds on one core."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from peephole.data.problems.adding import Adding
from peephole.data.problems.addition import Addition
from peephole.data.problems.brackets import Brackets
from peephole.data.problems.copying import Copying
from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Problem
from peephole.data.problems.recall import Recall
from peephole.data.problems.temporal_order import TemporalOrder
from peephole.doctor.planting.echo import Echo
from peephole.doctor.planting.glass import Glass
from peephole.doctor.planting.waves import Waves
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.language.config import LanguageConfig
from peephole.train.config import TrainingConfig
from peephole.train.curriculum import SizedTraining


@dataclass(frozen=True)
class HealthyTask:
    """What is learnt, by which net, and how. `problem` is None for a text.

    `cells` are the settings of net and training that differ for cells other than that of `model`. `reserved` tasks
    were not looked at while rules were written: they show whether the rules hold elsewhere. Those of 1 were looked at
    once, and led to changes of the rules; those of 2 after that.
    """

    name: str
    problem: Problem | None
    model: ModelConfig
    training: TrainingConfig | SizedTraining
    cells: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reserved: int = 0


def _net(hidden_size: int, **others: Any) -> ModelConfig:
    settings: dict[str, Any] = {"layers": 1, "embedding_size": 16, "dropout": 0.0, **others}
    return ModelConfig(hidden_size=hidden_size, **settings)


def _text_net(hidden_size: int) -> LanguageConfig:
    return LanguageConfig(hidden_size=hidden_size, layers=1, embedding_size=16, dropout=0.0)


def _training(steps: int, learning_rate: float, **others: Any) -> SizedTraining:
    settings: dict[str, Any] = {"batch_size": 32, "weight_decay": 0.0, "watch": 50, "threads": 1, **others}
    return SizedTraining(steps=steps, learning_rate=learning_rate, **settings)


def _reading(steps: int, learning_rate: float, **others: Any) -> TrainingConfig:
    settings: dict[str, Any] = {"batch_size": 16, "window": 32, "watch": 50, "threads": 1, **others}
    return TrainingConfig(steps=steps, learning_rate=learning_rate, **settings)


TEXT_CELLS = {"rnn": {"learning_rate": 5e-3}, "gru": {"learning_rate": 1e-2}}
WAVES_CELLS = {"rnn": {"learning_rate": 1e-2}}
TASKS: dict[str, HealthyTask] = {
    task.name: task
    for task in (
        HealthyTask("text", None, _text_net(64), _reading(400, 2e-2), TEXT_CELLS),
        HealthyTask("parity", Parity(length=12), _net(32, cell="rnn"), _training(300, 1e-2, sizes="all")),
        HealthyTask("addition", Addition(length=10), _net(32, cell="rnn"), _training(300, 1e-2, sizes="all")),
        HealthyTask(
            "adding",
            Adding(length=30),
            _net(32, init="chrono", longest=30),
            _training(500, 3e-2),
            {"rnn": {"nonlinearity": "relu", "init": "identity", "learning_rate": 3e-3}},
        ),
        HealthyTask(
            "recall",
            Recall(lag=20, patterns=4, form="symbols"),
            _net(32),
            _training(300, 1e-2),
            {"gru": {"init": "chrono", "longest": 20}},
        ),
        HealthyTask("copying", Copying(delay=10, items=3, alphabet=6), _net(64), _training(500, 1e-2)),
        HealthyTask("temporal-order", TemporalOrder(length=30), _net(32), _training(400, 1e-2), reserved=1),
        HealthyTask("brackets", Brackets(distance=10, depth=2, kinds=2), _net(32), _training(400, 1e-2), reserved=1),
        HealthyTask("waves", Waves(), _net(32), _training(300, 3e-2), WAVES_CELLS, reserved=1),
        HealthyTask("shakespeare", None, _text_net(64), _reading(400, 2e-2), TEXT_CELLS, reserved=1),
        HealthyTask("kernel", None, _text_net(64), _reading(400, 2e-2), TEXT_CELLS, reserved=1),
        HealthyTask("glass", Glass(), _net(32), _training(300, 3e-2), WAVES_CELLS, reserved=2),
        HealthyTask("echo", Echo(), _net(64), _training(400, 1e-2), reserved=2),
        HealthyTask("wiki", None, _text_net(64), _reading(400, 2e-2), TEXT_CELLS, reserved=2),
    )
}


def healthy_task(name: str) -> HealthyTask:
    """The task of that name. `InputError` where there is none."""
    if name not in TASKS:
        raise InputError(f"{name!r}: not a task to plant in; expected one of {', '.join(TASKS)}")
    return TASKS[name]
