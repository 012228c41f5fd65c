"""The settings of captioning. Imports nothing heavy: the command line reads it for its help."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from peephole.data.captioning.config import CaptioningData
from peephole.errors import InputError
from peephole.models.config import DecoderConfig
from peephole.tasks.examples.settings import ExamplesTask
from peephole.train.config import SpeakingConfig


@dataclass(frozen=True)
class CaptioningNet(DecoderConfig):
    """The net: convolutions over the picture, then recurrent layers that say words and look at places of it."""

    # Recurrent cell of the decoder.
    cell: Literal["lstm", "gru", "rnn"] = "lstm"

    # Recurrent layers of the decoder. Captions are short; what is hard is to see.
    layers: int = 1

    # Units of the decoder.
    hidden_size: int = 256

    # Width of a word's learned vector, and of what the answer is read from.
    embedding_size: int = 256

    # Share of what the decoder makes of a step that is dropped while training.
    dropout: float = 0.4

    # Share of a word's vector that is dropped while training.
    input_dropout: float = 0.2

    # Filters of the encoder's first stage; the second has twice, the third four times as many.
    filters: int = 64

    # Blocks of two convolutions in each of the encoder's three stages.
    blocks: int = 1

    # Share of what the encoder hands over that is dropped while training.
    picture_dropout: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("filters", "blocks"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}; expected at least 1")
        if not 0 <= self.picture_dropout < 1:
            raise InputError(f"--picture-dropout is {self.picture_dropout}; expected 0 to below 1")


@dataclass(frozen=True)
class CaptioningTraining(SpeakingConfig):
    """How to train: passes over the pictures, each changed in another way every time."""

    # Budget in passes over the pictures.
    epochs: float | None = 20.0

    # With --epochs, take so many steps at least: few pictures need more passes.
    fewest_steps: int = 600

    # Pictures trained together, each with --captions-each of its captions.
    batch_size: int = 64

    # Captions of a picture that a pass learns from, drawn anew each time; 0: all. The encoder sees the picture once
    # for all of them.
    captions_each: int = 2

    # Size of the steps at their largest.
    learning_rate: float = 2e-3

    # Pull of the weights towards zero.
    weight_decay: float = 0.05

    # Memory of Adam's second moment. Convolutions like a longer one than recurrent nets alone.
    beta2: float = 0.99

    # Steps over which the learning rate rises from zero.
    warmup: int = 100

    # Part of the old average of the weights that stays at a step.
    average: float = 0.995

    # auto: products in half the bits where the processor is quicker with them; three times for convolutions here.
    precision: Literal["float32", "bfloat16", "auto"] = "auto"

    # Weight of how well the encoder names the words of a picture's captions, beside that of a whole caption. 0: none.
    naming: float = 0.5

    # Share of the sides of a picture that is cut away at most, another one each time.
    crop: float = 0.35

    # Mirror every other picture. Few captions say left or right.
    mirror: bool = True

    # How much brightness and contrast change at most, another change each time.
    light: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.captions_each < 0:
            raise InputError(f"--captions-each is {self.captions_each}; expected captions, or 0 for all")
        if not 0 <= self.naming < float("inf"):
            raise InputError(f"--naming is {self.naming}; expected 0 or more")
        for name in ("crop", "light"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}; expected 0 to below 1")


@dataclass(frozen=True)
class CaptioningDecoding:
    """How captions are searched for."""

    # Captions that the search goes on with side by side; 1 takes the likeliest word each time. Of a net of 8 passes 5
    # had a BLEU-4 of 11.6 on Flickr8k's dev list where 1 had 9.9, and a CIDEr-D of 0.22 where 1 had 0.18.
    beams: int = 5

    # Captions are ranked by their log-probability over their length to this power: 0 prefers short ones, 1 goes by the
    # mean of their words. Of the usual net BLEU-4 was 12.7 with 0 on Flickr8k's dev list, 13.0 with 0.7.
    length_power: float = 0.7

    # Words of a caption at most; one that has not ended by then is cut off, and said so.
    most_words: int = 20

    # So many captions of each picture, the likeliest first.
    best: int = 1

    def __post_init__(self) -> None:
        for name in ("beams", "most_words", "best"):
            if getattr(self, name) < 1:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected at least 1")
        if self.best > self.beams:
            raise InputError(f"--best is {self.best}; expected at most the {self.beams} of --beams")
        if not 0 <= self.length_power < float("inf"):
            raise InputError(f"--length-power is {self.length_power}; expected 0 or more")


@dataclass(frozen=True)
class CaptioningTask(ExamplesTask):
    """A caption of a picture."""

    name: ClassVar[str] = "captioning"
    unit: ClassVar[str] = "nats a word"

    data: CaptioningData = field(default_factory=CaptioningData)
    model: CaptioningNet = field(default_factory=CaptioningNet)
    training: CaptioningTraining = field(default_factory=CaptioningTraining)
