"""torch's optimisers and schedules from the settings."""

import inspect
import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from peephole.train.config import TrainingConfig

CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "sgd": torch.optim.SGD,
    "asgd": torch.optim.ASGD,
}


def make_optimizer(parameters: Iterable[nn.Parameter], config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser that `config` names, fused into one pass over the parameters where torch can."""
    kind = CLASSES[config.optimizer]
    accepted = inspect.signature(kind).parameters
    wanted = {
        "lr": config.learning_rate,
        "weight_decay": config.weight_decay,
        "momentum": config.momentum,
        "betas": (0.9, config.beta2),
        "fused": True,
    }
    return kind(list(parameters), **{name: value for name, value in wanted.items() if name in accepted})


def learning_rate_share(config: TrainingConfig, step: int, total: int) -> float:
    """The share of `config.learning_rate` used in step `step` of `total`, both counted from 0."""
    share = 1.0
    progress = min(1.0, step / max(1, total))
    floor = config.final_learning_rate
    if config.schedule == "cosine":
        share = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
    elif config.schedule == "linear":
        share = floor + (1 - floor) * (1 - progress)
    elif config.schedule == "exponential":
        share = max(floor, 0.01) ** progress
    return share * min(1.0, (step + 1) / (config.warmup + 1))


class Schedule:
    """Sets the learning rate before each step; `total` may become known late, and `plateau` may halve the rate."""

    def __init__(self, optimizer: torch.optim.Optimizer, config: TrainingConfig, total: int, step: int) -> None:
        self.total = total
        self.plateau_share = 1.0
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self._scheduler = LambdaLR(
            optimizer,
            lambda at: self.plateau_share * learning_rate_share(config, at, self.total),
            last_epoch=step - 1,
        )

    def advance(self) -> None:
        """Go on to the next step's learning rate."""
        self._scheduler.step()

    def halve(self) -> None:
        """What the plateau schedule does when held-out divergence stops falling."""
        self.plateau_share *= 0.5
