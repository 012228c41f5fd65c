"""The settings of forecasting. Imports nothing heavy: the command line reads it for its help."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from peephole.data.forecasting.config import ForecastingData
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.tasks.examples.settings import ExamplesTask
from peephole.train.config import PassesConfig


@dataclass(frozen=True)
class ForecastingNet(ModelConfig):
    """The net: filters over segments of a window, recurrent layers over the segments, all steps ahead at once."""

    # Recurrent cell. With few segments there is little to remember, and the gru has fewer weights than the lstm.
    cell: Literal["lstm", "gru", "rnn"] = "gru"

    # Recurrent layers. One is enough for a handful of segments.
    layers: int = 1

    # Units. Half as many were worse on held-out data, twice as many took twice the time for the same.
    hidden_size: int = 128

    # Filters over a segment.
    embedding_size: int = 128

    # Share of the last state dropped while training. 0 and 0.5 were worse on held-out data.
    dropout: float = 0.3

    # Steps that become one step of the recurrent layers (Lin et al. 2023). 0: a season where windows have whole ones,
    # else the largest part of a window that is at most a day of hours.
    segment: int = 0

    # What the net learns: pinball the quantiles below, l2 one value, the mean.
    divergence: Literal["pinball", "l2"] = "pinball"

    # Quantiles to forecast; 0.5, the median, is the forecast itself. Those here make intervals of 80 and of 90 %.
    quantiles: tuple[float, ...] = (0.05, 0.1, 0.5, 0.9, 0.95)

    # How fast quantiles follow what is seen of their coverage, in widths of the outer interval: as values come, a
    # quantile is moved until the right share lies below it, on held-out data first. 0: they stay as they were learnt.
    # 0.002 brought coverage to a point of what it should be on held-out data at 2 % more divergence.
    tracking: float = 0.002

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.segment < 0:
            raise InputError(f"--segment is {self.segment}; expected steps, or 0 to choose by the season")
        if self.divergence not in ("pinball", "l2"):
            raise InputError(f"--divergence is {self.divergence!r}; expected pinball or l2")
        if list(self.quantiles) != sorted(set(self.quantiles)) or not all(0 < share < 1 for share in self.quantiles):
            raise InputError(f"--quantiles is {self.quantiles}; expected rising numbers between 0 and 1")
        if self.divergence == "pinball" and 0.5 not in self.quantiles:
            raise InputError(f"--quantiles is {self.quantiles}; expected 0.5, the forecast itself, among them")
        if not 0 <= self.tracking < 1:
            raise InputError(f"--tracking is {self.tracking}; expected 0 to below 1")

    @property
    def shares(self) -> tuple[float, ...]:
        """The quantiles that come out; of l2 the one value."""
        return self.quantiles if self.divergence == "pinball" else (0.5,)

    @property
    def middle(self) -> int:
        """Which of them is the forecast itself."""
        return self.shares.index(0.5)

    def segment_of(self, context: int, season: int) -> int:
        """Steps of a segment for windows of `context` steps. `InputError` for more than those."""
        if self.segment > context:
            raise InputError(f"--segment is {self.segment}; expected at most the context, {context} steps")
        if self.segment:
            return self.segment
        if 1 < season <= 48 and context % season == 0:
            return season
        return max(steps for steps in range(1, min(context, 24) + 1) if context % steps == 0)


@dataclass(frozen=True)
class ForecastingTraining(PassesConfig):
    """How to train."""

    # Budget in optimiser steps: half a minute on one core. More began to learn the training part by heart.
    steps: int | None = 500

    # Windows trained together: they overlap, so that many of them are needed to differ.
    batch_size: int = 512

    # Size of the steps at their largest. 3e-3 did best on held-out data; 1e-3 needs more steps.
    learning_rate: float = 3e-3


@dataclass(frozen=True)
class ForecastingTask(ExamplesTask):
    """The next steps of series."""

    name: ClassVar[str] = "forecasting"
    unit: ClassVar[str] = "pinball divergence"

    data: ForecastingData = field(default_factory=ForecastingData)
    model: ForecastingNet = field(default_factory=ForecastingNet)
    training: ForecastingTraining = field(default_factory=ForecastingTraining)
