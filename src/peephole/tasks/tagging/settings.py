"""The settings of tagging. Imports nothing heavy: the command line reads it for its help."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from peephole.data.tagging.config import TaggingData
from peephole.errors import InputError
from peephole.models.config import WholeConfig
from peephole.tasks.examples.settings import ExamplesTask
from peephole.train.config import PassesConfig


@dataclass(frozen=True)
class TaggingNet(WholeConfig):
    """The net: vectors of words beside their spelling, recurrent layers over the sentence, a label a word."""

    # Recurrent layers over the sentence. What says the label of a word stands near it; a second layer costs twice the
    # time and gains little.
    layers: int = 1

    # Units per layer and direction.
    hidden_size: int = 200

    # Width of a word's learned vector.
    embedding_size: int = 100

    # Width of a character's learned vector.
    character_size: int = 32

    # Units per direction of the recurrent layer that reads the characters of a word. Endings need few.
    character_hidden: int = 64

    # Share of the words that are unknown while training, so that the net learns to go by spelling and neighbours, as
    # it has to with words that it never saw.
    word_dropout: float = 0.2

    # Share of the outputs of each layer dropped while training. Some ten thousand sentences are soon learnt by heart.
    dropout: float = 0.4

    # Share of the vectors of words and spellings that is dropped while training.
    input_dropout: float = 0.4

    # Start from these vectors of words, in place of random ones: a file in word2vec's text or binary format, or a run
    # of skip-gram, CBOW or a language model. A word that is not there as it is spelled is looked for in lower case;
    # those that lack a vector start as usual, and all others are scaled by one factor to the usual size.
    vectors: Path | None = None

    # Keep the table of vectors as it starts while everything else is trained, words that --vectors lacks included.
    frozen_vectors: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frozen_vectors and self.vectors is None:
            raise InputError("--frozen-vectors keeps the vectors of --vectors as they are; give it too")
        for name in ("character_size", "character_hidden"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected at least 1")
        if not 0.0 <= self.word_dropout < 1.0:
            raise InputError(f"--word-dropout is {self.word_dropout}; expected 0 to below 1")


@dataclass(frozen=True)
class TaggingTraining(PassesConfig):
    """How to train: passes over the sentences, more of them where there are few."""

    # Budget in passes over the training data. After twelve the score on held-out sentences hardly rises.
    epochs: float | None = 12.0

    # With --epochs, take so many steps at least: twelve passes over a few hundred sentences are too few updates to
    # learn anything. 0: --epochs alone counts.
    fewest_steps: int = 1500

    # Sentences trained together.
    batch_size: int = 32

    # Size of the steps at their largest.
    learning_rate: float = 3e-3

    # Part of the old average of the weights that stays at a step. The average of some hundred steps is better than the
    # weights themselves from the first passes on.
    average: float = 0.998

    # What a word counts: each the same, or as much the rarer its label is, so that all labels count alike.
    class_weights: Literal["none", "balanced"] = "none"


@dataclass(frozen=True)
class TaggingTask(ExamplesTask):
    """A label for every word of a sentence."""

    name: ClassVar[str] = "tagging"
    unit: ClassVar[str] = "nats a word"

    data: TaggingData = field(default_factory=TaggingData)
    model: TaggingNet = field(default_factory=TaggingNet)
    training: TaggingTraining = field(default_factory=TaggingTraining)
    vectors_sha256: str | None = None  # what the file of `model.vectors` held
