"""The settings of music. Imports nothing heavy: the command line reads it for its help."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from peephole.data.music.config import MusicData
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.tasks.examples.settings import ExamplesTask
from peephole.train.config import PassesConfig


@dataclass(frozen=True)
class MusicNet(ModelConfig):
    """The net: recurrent layers in one direction, as what comes next must not be known."""

    # Recurrent cell.
    cell: Literal["lstm", "gru", "rnn"] = "lstm"

    # Recurrent layers. One, as what a chord leads to stands mostly in the few chords before it.
    layers: int = 1

    # Units per layer. With the noise below 400 did better than 300 on held-out chorales, and 300 better than 200.
    hidden_size: int = 400

    # Width of the learned vector of a voice's note; chords are read as they are.
    embedding_size: int = 128

    # Share of the last layer's outputs dropped while training.
    dropout: float = 0.3

    # Share of the units of h that a piece's recurrent products do without while training. Pieces are few, and a net
    # without it learns them by heart.
    recurrent_dropout: float = 0.3


@dataclass(frozen=True)
class MusicTraining(PassesConfig):
    """How to train."""

    # Budget in optimiser steps: two minutes on one core for pieces of a hundred steps, however many there are. On
    # held-out chorales a gru hardly gained in the last third, an lstm and an rnn little in the last tenth.
    steps: int | None = 1800

    # Pieces trained together. Half as many as usual: more updates from few pieces did better in as much time.
    batch_size: int = 8

    # Size of the steps at their largest, the same for all three cells.
    learning_rate: float = 3e-3

    # Part of the old average of the weights that stays at a step: the last hundred steps, which evens out the noise.
    average: float = 0.99

    # A piece is moved by at most so many semitones up or down, another number each time, as keys differ and rules do
    # not; 0: never. Without it the net has learnt the pieces by heart after a third of the steps.
    transpose: int = 3

    # Share of the times that a piece stays in its own key, for keys that pieces are written in are not all as usual. An
    # rnn, which is soon full, needs that most.
    own_key: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.transpose <= 24:
            raise InputError(f"--transpose is {self.transpose}; expected 0 to 24 semitones")
        if not 0 <= self.own_key <= 1:
            raise InputError(f"--own-key is {self.own_key}; expected a share from 0 to 1")


@dataclass(frozen=True)
class MusicTask(ExamplesTask):
    """What sounds next."""

    name: ClassVar[str] = "music"
    unit: ClassVar[str] = "nats"

    data: MusicData = field(default_factory=MusicData)
    model: MusicNet = field(default_factory=MusicNet)
    training: MusicTraining = field(default_factory=MusicTraining)
