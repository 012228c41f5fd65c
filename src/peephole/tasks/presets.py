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


def _net(hidden_size: int, **others: Any) -> ModelConfig:
    """One layer, whose gates start open for as long as there is something to remember."""
    settings: dict[str, Any] = {"layers": 1, "embedding_size": 8, "dropout": 0.0, "init": "auto", **others}
    return ModelConfig(hidden_size=hidden_size, **settings)


def _training(steps: int, learning_rate: float, **others: Any) -> SizedTraining:
    """There are new examples at every step, so that nothing can be overfitted: no pull of the weights towards zero."""
    return SizedTraining(steps=steps, learning_rate=learning_rate, batch_size=32, weight_decay=0.0, **others)


# Parity and addition are a finite automaton's work. A saturated tanh unit has states that nothing moves, and a gate is
# never quite shut: a GRU that answers as well at 20 bits now and then errs in 10,000. Sizes are drawn evenly: with a
# curriculum, nets learn strings of up to 20 bits sooner and by other means, which end there. docs/decisions.md, 39.
#
# What remembers is an LSTM; sequences grow over the first half of training, without which it stays for long where it
# began. Brackets want gates that begin almost open, a large learning rate and many steps: at four times the distance of
# training a leak counts four times, and the divergence hardly sees it.
PRESETS = {
    preset.problem.name: preset
    for preset in (
        Preset(Parity(), _net(32, cell="rnn"), _training(2000, 3e-2, sizes="all")),
        Preset(Addition(), _net(32, cell="rnn"), _training(3000, 1e-2, sizes="all")),
        Preset(Adding(), _net(130), _training(3000, 1e-2, curriculum="steps", first_size=20)),
        Preset(TemporalOrder(), _net(64), _training(1000, 5e-3, curriculum="steps", first_size=20)),
        Preset(Copying(), _net(128), _training(10_000, 5e-3, curriculum="steps", first_size=5)),
        Preset(
            Brackets(),
            _net(128, embedding_size=32, init="orthogonal", forget_bias=3.0),
            _training(12_000, 2e-2, curriculum="steps", first_size=10, grow_over=2400),
        ),
        Preset(
            Recall(),
            _net(64, embedding_size=32),
            _training(600, 2e-3, curriculum="steps", sizes="half", first_size=50),
        ),
    )
}
