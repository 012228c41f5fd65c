"""The problems by name, each with settings that learn it: the defaults of `peephole train NAME`."""

from dataclasses import dataclass

from peephole.data.problems.addition import Addition
from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Problem
from peephole.models.config import ModelConfig
from peephole.train.curriculum import SizedTraining


@dataclass(frozen=True)
class Preset:
    """A problem with its options at their defaults, and the settings that learn it."""

    problem: Problem
    model: ModelConfig
    training: SizedTraining


PRESETS = {
    preset.problem.name: preset
    for preset in (
        Preset(
            Parity(),
            ModelConfig(layers=1, hidden_size=32, embedding_size=8, dropout=0.0, init="auto"),
            SizedTraining(steps=2000, batch_size=32, sizes="all"),
        ),
        Preset(
            Addition(),
            ModelConfig(layers=1, hidden_size=32, embedding_size=8, dropout=0.0, init="auto"),
            SizedTraining(steps=2000, batch_size=32, sizes="all"),
        ),
    )
}
