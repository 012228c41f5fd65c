"""The settings of speech. Imports nothing heavy: the command line reads it for its help."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

from peephole.data.speech.config import SpeechData
from peephole.errors import InputError
from peephole.generate.ctc.config import SpeechDecoding
from peephole.models.config import WholeConfig
from peephole.tasks.examples.settings import ExamplesTask
from peephole.train.config import PassesConfig


@dataclass(frozen=True)
class SpeechNet(WholeConfig):
    """The net: learned filters over some steps of sound, recurrent layers, at each step a unit or the blank."""

    # Recurrent cell.
    cell: Literal["lstm", "gru", "rnn"] = "gru"

    # Recurrent layers. The first hears sounds, the second what they are a part of.
    layers: int = 2

    # Units per layer and direction. Strings of digits by known speakers: 1.4 % of the words wrong after four passes.
    hidden_size: int = 96

    # Learned filters that the recurrent layers read.
    embedding_size: int = 64

    # Steps that a filter reads at once: this one and those before it. 0: the sound goes in as it is.
    kernel: int = 2

    # Share of the outputs of each layer dropped while training.
    dropout: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel < 0:
            raise InputError(f"--kernel is {self.kernel}; expected steps, or 0 for no filter")


@dataclass(frozen=True)
class SpeechTraining(PassesConfig):
    """How to train: passes over the recordings, each time changed in another way."""

    # Budget in passes over the training data. Five over sounds that are changed each time were too few: the divergence
    # on what was learnt from was still a hundred times that of six without changes.
    epochs: float | None = 12.0

    # With --epochs, take so many steps at least: some passes over a few hundred recordings are too few updates for a
    # net to find out where units lie. 0: --epochs alone counts.
    fewest_steps: int = 1000

    # Recordings trained together.
    batch_size: int = 16

    # Size of the steps at their largest.
    learning_rate: float = 3e-3

    # All frequencies are raised or lowered by up to this share while training, as of a smaller or larger speaker:
    # voices that the net has never heard (Jaitly & Hinton 2013). How much suits them depends on the voice: with 0.2,
    # tempo 0.25, bands 0.3 and dropout 0.4 one speaker of digits who was left out had 18 % of the words wrong in place
    # of 28 %, two others 29 and 22 % in place of 21 and 12 %.
    pitch: float = 0.1

    # The sound is slower or faster by up to this share.
    tempo: float = 0.15

    # White noise of up to this share of the sound's own deviation is added: 0.1 is 20 dB below it.
    noise: float = 0.0

    # The sound is louder or softer by up to so many decibels: speakers of free_spoken_digits are 23 apart. It makes no
    # difference where the recording's own mean is taken off (--normalise recording).
    loudness: float = 10.0

    # Two stretches of up to so many seconds each, drawn anew for every recording, become silent to the net
    # (SpecAugment, Park et al. 2019).
    hide_seconds: float = 0.0

    # Two groups of neighbouring bands, each of up to this share of all of them, become silent to the net.
    hide_bands: float = 0.15

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("pitch", "tempo", "hide_bands"):
            if not 0 <= getattr(self, name) < 1:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected 0 to below 1")
        for name in ("noise", "loudness", "hide_seconds"):
            if not 0 <= getattr(self, name) < math.inf:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected 0 or more")


@dataclass(frozen=True)
class SpeechSearch(SpeechDecoding):
    """How to turn what the net answers into words, and what to measure it on."""

    # Tables or folders of recordings with transcripts that eval measures on in place of a part of the run's data.
    on: tuple[Path, ...] = ()


@dataclass(frozen=True)
class SpeechTask(ExamplesTask):
    """The text that is said in a recording."""

    name: ClassVar[str] = "speech"
    unit: ClassVar[str] = "nats a unit"

    data: SpeechData = field(default_factory=SpeechData)
    model: SpeechNet = field(default_factory=SpeechNet)
    training: SpeechTraining = field(default_factory=SpeechTraining)

    def __post_init__(self) -> None:
        if not (self.data.held_out or self.data.held_out_share) and self.training.keep != "last":
            # Nothing is held out to choose by: those that did best on what they learned from would be chosen
            object.__setattr__(self, "training", replace(self.training, keep="last"))
