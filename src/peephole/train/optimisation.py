"""torch's optimisers and schedules from the settings."""

import inspect
import math
from collections.abc import Iterable

import torch
from torch import nn

from peephole.train.config import LoopConfig, PassesConfig

UNKNOWN_TOTAL = 10**9  # steps assumed while a budget in minutes has not become steps yet

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


def make_optimizer(parameters: Iterable[nn.Parameter], config: LoopConfig) -> torch.optim.Optimizer:
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
    if config.optimizer == "rmsprop":  # asgd has an alpha too, which is another thing
        wanted["alpha"] = config.beta2
    return kind(list(parameters), **{name: value for name, value in wanted.items() if name in accepted})


def learning_rate_share(config: LoopConfig, step: int, total: int, steps_per_epoch: int = 1) -> float:
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
    elif config.schedule == "epochs":
        assert isinstance(config, PassesConfig), "the settings were checked"
        share = config.rate_in_pass(step // steps_per_epoch)
    return share * min(1.0, (step + 1) / (config.warmup + 1))


class Schedule:
    """Sets the learning rate of each step from its number alone, so that a resumed run goes on with the same rate.

    `total` may become known late (`know_total`), and `plateau` may `halve` the rate; both count from the next step on.
    What goes by `total` keeps to its beginning until then; constant, plateau and epochs do not ask for it.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        config: LoopConfig,
        total: int | None,
        step: int,
        plateau_share: float = 1.0,
        steps_per_epoch: int = 1,
    ) -> None:
        self.optimizer, self.config, self.step = optimizer, config, step
        self.total, self.steps_per_epoch = total, steps_per_epoch
        self.plateau_share = plateau_share
        self._set()

    @property
    def rate(self) -> float:
        """The learning rate of this step, before `scale`."""
        share = learning_rate_share(self.config, self.step, self.total or UNKNOWN_TOTAL, self.steps_per_epoch)
        return self.config.learning_rate * (self.plateau_share * share)

    def scale(self, factor: float) -> None:
        """Take this step with so many times its learning rate."""
        self._set(factor)

    def advance(self) -> None:
        """Go on to the next step's learning rate."""
        self.step += 1
        self._set()

    def know_total(self, total: int) -> None:
        """The number of steps that the budget turned out to allow."""
        self.total = total
        self._set()

    def halve(self) -> None:
        """What the plateau schedule does when held-out divergence stops falling."""
        self.plateau_share *= 0.5
        self._set()

    def _set(self, factor: float = 1.0) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * factor
