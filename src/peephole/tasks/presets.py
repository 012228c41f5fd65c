"""The problems by name, each with settings that learn it: the defaults of `peephole train NAME`."""

from dataclasses import dataclass
from typing import Any

from peephole.data.problems.adding import Adding
from peephole.data.problems.addition import Addition
from peephole.data.problems.brackets import Brackets
from peephole.data.problems.copying import Copying
from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Problem
from peephole.data.problems.recall import Recall
from peephole.data.problems.temporal_order import TemporalOrder
from peephole.models.config import ModelConfig
from peephole.train.curriculum import SizedTraining


@dataclass(frozen=True)
class Preset:
    """A problem with its options at their defaults, and the settings that learn it."""

    problem: Problem
    model: ModelConfig
    training: SizedTraining


SMALL: dict[str, Any] = {"layers": 1, "embedding_size": 8, "dropout": 0.0, "init": "auto"}
USUAL: dict[str, Any] = {"batch_size": 32, "weight_decay": 0.0}  # there are new examples every step: nothing to overfit

# Parity and addition are a finite automaton's work. A saturated tanh unit has states that nothing moves; a gate is
# never quite shut, so that an LSTM or GRU that answers as well at 20 bits leaks on a run of 100 zeros.
PRESETS = {
    preset.problem.name: preset
    for preset in (
        Preset(
            Parity(),
            ModelConfig(cell="rnn", hidden_size=32, **SMALL),
            SizedTraining(steps=2000, learning_rate=1e-2, sizes="all", **USUAL),
        ),
        Preset(
            Addition(),
            ModelConfig(cell="rnn", hidden_size=32, **SMALL),
            SizedTraining(steps=3000, learning_rate=1e-2, sizes="all", **USUAL),
        ),
        Preset(
            Adding(),
            ModelConfig(hidden_size=130, **SMALL),
            SizedTraining(steps=3000, learning_rate=1e-2, curriculum="steps", first_size=20, **USUAL),
        ),
        Preset(
            TemporalOrder(),
            ModelConfig(hidden_size=64, **SMALL),
            SizedTraining(steps=1000, learning_rate=5e-3, curriculum="steps", first_size=20, **USUAL),
        ),
        Preset(
            Copying(),
            ModelConfig(hidden_size=128, **SMALL),
            SizedTraining(steps=10_000, learning_rate=5e-3, curriculum="steps", first_size=5, **USUAL),
        ),
        Preset(
            Brackets(),
            ModelConfig(hidden_size=128, **SMALL | {"embedding_size": 32, "init": "orthogonal"}),
            SizedTraining(
                steps=12_000,
                learning_rate=2e-2,
                curriculum="steps",
                grow_over=2400,
                sizes="half",
                first_size=10,
                **USUAL,
            ),
        ),
        Preset(
            Recall(),
            ModelConfig(hidden_size=64, **SMALL | {"embedding_size": 32}),
            SizedTraining(steps=600, learning_rate=2e-3, curriculum="steps", sizes="half", first_size=50, **USUAL),
        ),
    )
}
