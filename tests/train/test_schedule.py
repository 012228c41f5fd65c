"""Learning rates: known values, and a schedule that depends on the number of the step alone."""

import inspect
import math

import pytest
import torch
from torch import nn

from peephole.train.config import OPTIMIZERS, TrainingConfig
from peephole.train.optimisation import CLASSES, Schedule, learning_rate_share, make_optimizer


def config(**settings: object) -> TrainingConfig:
    return TrainingConfig(**{"warmup": 0, **settings})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("settings", "shares"),
    [
        ({"schedule": "constant"}, {0: 1, 50: 1, 100: 1}),
        ({"schedule": "plateau"}, {0: 1, 50: 1, 100: 1}),
        ({"schedule": "linear"}, {0: 1, 25: 0.75, 50: 0.5, 100: 0, 150: 0}),
        ({"schedule": "linear", "final_learning_rate": 0.2}, {0: 1, 50: 0.6, 100: 0.2}),
        ({"schedule": "cosine"}, {0: 1, 25: 0.5 + math.sqrt(0.125), 50: 0.5, 75: 0.5 - math.sqrt(0.125), 100: 0}),
        ({"schedule": "cosine", "final_learning_rate": 0.1}, {0: 1, 50: 0.55, 100: 0.1, 200: 0.1}),
        ({"schedule": "exponential"}, {0: 1, 50: 0.1, 100: 0.01}),
        ({"schedule": "exponential", "final_learning_rate": 0.25}, {0: 1, 50: 0.5, 100: 0.25}),
        ({"schedule": "constant", "warmup": 4}, {0: 0.2, 1: 0.4, 2: 0.6, 3: 0.8, 4: 1, 5: 1}),
        ({"schedule": "linear", "warmup": 4}, {0: 0.2, 3: 0.8 * 0.97, 4: 0.96}),
    ],
)
def test_shares_at_known_steps(settings: dict[str, object], shares: dict[int, float]) -> None:
    for step, share in shares.items():
        assert learning_rate_share(config(**settings), step, 100) == pytest.approx(share, abs=1e-12), step


@pytest.mark.parametrize("total", [30, 10**9])
def test_epochs_by_their_number_whatever_the_total(total: int) -> None:
    """The small, medium and large nets of Zaremba et al. 2014: whole passes at the whole rate, then a fall in each."""
    for flat, decay, epochs in ((4, 0.5, 13), (6, 1 / 1.2, 39), (14, 1 / 1.15, 55)):
        settings = config(schedule="epochs", flat_epochs=flat, decay=decay, epochs=float(epochs))
        by_epoch = [
            {learning_rate_share(settings, step, total, 3) for step in range(3 * epoch, 3 * epoch + 3)}
            for epoch in range(epochs)
        ]
        assert by_epoch[:flat] == [{1.0}] * flat
        assert by_epoch[flat:] == [{decay ** (number + 1)} for number in range(epochs - flat)]
    assert learning_rate_share(config(schedule="epochs", flat_epochs=0, decay=0.5), 0, total, 3) == 0.5
    assert learning_rate_share(config(schedule="epochs", warmup=3), 1, total, 3) == 0.5


def test_the_rate_of_epochs_does_not_wait_for_the_total() -> None:
    settings = config(schedule="epochs", flat_epochs=1, learning_rate=1.0)
    optimizer = make_optimizer([nn.Parameter(torch.zeros(1))], settings)
    schedule = Schedule(optimizer, settings, None, 0, steps_per_epoch=2)
    assert rates(schedule, 5) == [1.0, 1.0, 0.5, 0.5, 0.25]
    schedule.know_total(1000)
    assert rates(schedule, 2) == [0.25, 0.125]
    assert rates(Schedule(optimizer, settings, 1000, 5, 0.5, 2), 2) == [0.125, 0.0625]


def test_a_step_alone_is_scaled() -> None:
    settings = config(schedule="linear", learning_rate=1.0)
    optimizer = make_optimizer([nn.Parameter(torch.zeros(1))], settings)
    schedule = Schedule(optimizer, settings, 10, 0)
    schedule.scale(0.25)
    assert (schedule.rate, optimizer.param_groups[0]["lr"]) == (1.0, 0.25)
    schedule.advance()
    assert (schedule.rate, optimizer.param_groups[0]["lr"]) == (0.9, 0.9)


def test_a_training_of_one_step_has_a_rate() -> None:
    for schedule in ("cosine", "linear", "constant", "exponential", "plateau", "epochs"):
        assert learning_rate_share(config(schedule=schedule), 0, 1) == 1


def rates(schedule: Schedule, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.advance()
    return found


@pytest.mark.parametrize("name", ["cosine", "linear", "constant", "exponential", "plateau", "epochs"])
def test_a_schedule_begun_later_is_the_same(name: str) -> None:
    settings = config(schedule=name, warmup=3, learning_rate=0.5)
    parameters = [nn.Parameter(torch.zeros(1))]
    whole = rates(Schedule(make_optimizer(parameters, settings), settings, 12, 0), 12)
    assert whole == [0.5 * learning_rate_share(settings, step, 12) for step in range(12)]
    for step in range(12):
        later = Schedule(make_optimizer(parameters, settings), settings, 12, step)
        assert rates(later, 12 - step) == whole[step:]


def test_halving_and_a_total_that_becomes_known_count_from_the_next_step() -> None:
    settings = config(schedule="plateau", learning_rate=1.0)
    optimizer = make_optimizer([nn.Parameter(torch.zeros(1))], settings)
    schedule = Schedule(optimizer, settings, 10, 0)
    schedule.advance()
    schedule.halve()
    assert rates(schedule, 2) == [0.5, 0.5]
    schedule.halve()
    assert rates(schedule, 1) == [0.25]
    assert rates(Schedule(optimizer, settings, 10, 4, schedule.plateau_share), 1) == [0.25]

    settings = config(schedule="linear", learning_rate=1.0)
    schedule = Schedule(optimizer, settings, None, 0)
    assert rates(schedule, 5) == pytest.approx([1.0] * 5)
    schedule.know_total(10)
    assert rates(schedule, 2) == [0.5, 0.4]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimisers_get_the_settings_they_know(name: str) -> None:
    settings = config(optimizer=name, learning_rate=0.25, weight_decay=0.125, momentum=0.5, beta2=0.75)
    optimizer = make_optimizer([nn.Parameter(torch.zeros(1))], settings)
    assert type(optimizer) is CLASSES[name]
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.25, 0.125)
    if name in ("sgd", "rmsprop"):
        assert group["momentum"] == 0.5
    if name in ("adamw", "adam", "nadam", "radam", "adamax"):
        assert tuple(group["betas"]) == (0.9, 0.75)
    if name == "rmsprop":
        assert group["alpha"] == 0.75
    if name == "asgd":
        assert group["alpha"] == inspect.signature(torch.optim.ASGD).parameters["alpha"].default


def test_every_name_is_an_optimiser() -> None:
    assert set(OPTIMIZERS) == set(CLASSES)
