"""What the loop and its callers agree on: the objective it trains, the listener that hears of it, how it stops."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from peephole.errors import InputError

States = tuple[Tensor, ...]


@runtime_checkable
class Batches(Protocol):
    """What the loop reads: windows without end, and a place to go on from.

    A window that has a `rate` is taken with so many times the learning rate. One that has a `divisor` has the gradient
    of the sum of its divergences divided by that, in place of the number that counts.
    """

    @property
    def windows_per_epoch(self) -> int: ...
    def next(self) -> Any: ...
    def state_dict(self) -> dict[str, int]: ...
    def load_state_dict(self, state: Mapping[str, int]) -> None: ...


@runtime_checkable
class Objective(Protocol):
    """What a task hands the loop: batches, the divergence of one of them, and a measurement on held-out data.

    Of the measurement, `judged` decides which weights are best, the lower the better, such as a share of errors;
    without it the divergence `held_out` does. What stands beside them is kept in the history.
    """

    unit: str  # what is counted, in the plural: characters

    def batches(self, rank: int, world_size: int) -> Batches: ...
    def divergence(self, model: nn.Module, window: Any, states: States | None) -> tuple[Tensor, int, States]: ...
    def evaluate(self, model: nn.Module) -> dict[str, float]: ...


class Listener:
    """Hears what happens; the command line shows it. Every method may be left as it is.

    `on_watch` gets a row of the history that has a `watch`, and a sentence for each thing that has just turned.
    """

    def on_start(self, first: int, total: int | None) -> None: ...
    def on_step(self, row: dict[str, Any], total: int | None) -> None: ...
    def on_evaluation(self, row: dict[str, Any], improved: bool) -> None: ...
    def on_budget(self, total: int, seconds_per_step: float) -> None: ...
    def on_watch(self, row: dict[str, Any], turned: Sequence[str]) -> None: ...


class NotFinite(InputError):
    """A divergence or a gradient became infinite or NaN. The same settings would end so again."""


class Interrupted(Exception):
    """Training stopped because it was asked to; everything is saved and `--resume` goes on."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped at step {step:,}")
        self.step = step
