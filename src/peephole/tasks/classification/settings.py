"""The settings of classification. Imports nothing heavy: the command line reads it for its help."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from peephole.data.classification.config import ClassificationData
from peephole.errors import InputError
from peephole.models.config import WholeConfig
from peephole.tasks.examples.settings import ExamplesTask
from peephole.train.config import PassesConfig


@dataclass(frozen=True)
class ClassificationNet(WholeConfig):
    """The net: recurrent layers over the sequence, pooled over time, one answer."""

    # Recurrent cell. The gru has fewer weights, and had the lower divergence in each of three comparisons with the lstm
    # on folds of JapaneseVowels and BasicMotions.
    cell: Literal["lstm", "gru", "rnn"] = "gru"

    # Recurrent layers. One in both directions has the whole sequence at each step; a second costs twice the time.
    layers: int = 1

    # Units per layer and direction. On folds of JapaneseVowels 96, with larger batches for longer, were worse.
    hidden_size: int = 64

    # Width of a character's learned vector; of numbers, of the filters of --kernel.
    embedding_size: int = 32

    # Share of the outputs of each layer dropped while training. After the last it does little, for steps are pooled.
    dropout: float = 0.0

    # Share of the pooled numbers that the answer is made of dropped while training. A half had the lowest divergence on
    # folds of JapaneseVowels.
    answer_dropout: float = 0.5

    # How the steps become one answer: the last, or their mean, most, both, or a mean with learned weights. On folds the
    # mean was best for JapaneseVowels and most for BasicMotions; last suits what is decided at the end.
    pool: Literal["last", "mean", "max", "mean-max", "attention"] = "mean"

    # Steps that a learned filter before the recurrent layers reads at once; 0: none. For sequences of a thousand steps
    # and more, with a --stride.
    kernel: int = 0

    # Steps between two places of the filter: the recurrent layers read one in so many.
    stride: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.answer_dropout < 1.0:
            raise InputError(f"--answer-dropout is {self.answer_dropout}; expected 0 to below 1")
        if self.kernel < 0:
            raise InputError(f"--kernel is {self.kernel}; expected steps, or 0 for no filter")
        if not 1 <= self.stride <= max(1, self.kernel):
            raise InputError(f"--stride is {self.stride}; expected 1 to the steps of --kernel, {max(1, self.kernel)}")


@dataclass(frozen=True)
class ClassificationTraining(PassesConfig):
    """How to train: passes over the sequences, more of them where there are few."""

    # Budget in passes over the training data. Ten taught some thousand recordings all that they had to say.
    epochs: float | None = 10.0

    # With --epochs, take so many steps at least: ten passes over a few dozen sequences are too few updates to learn
    # anything. 0: --epochs alone counts.
    fewest_steps: int = 400

    # Sequences trained together. Few, for small sets are usual.
    batch_size: int = 16

    # Share by which time is stretched or pressed at most, another one each time that a sequence is read (nothing here
    # changes texts). Best for JapaneseVowels on folds of its training part.
    stretch: float = 0.3

    # Share of the steps that is cut away at the ends at most, another one each time. Few recordings of something that
    # goes on need it most (BasicMotions on folds); 0 where what decides may stand at the very end.
    cut: float = 0.15

    # Deviation of the noise added to numbers while training, in units of each feature's own.
    input_noise: float = 0.3

    # Share of the steps that is hidden at most, in two stretches (SpecAugment). For much data and long trainings; with
    # ten passes over spoken digits it did harm.
    hide_steps: float = 0.0

    # Share of the features beside each other that is hidden at most, twice.
    hide_features: float = 0.0

    # What a sequence counts: each the same, or as much the rarer its label is, so that all labels count alike.
    class_weights: Literal["none", "balanced"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("cut", "stretch", "hide_steps", "hide_features"):
            share = getattr(self, name)
            if not 0 <= share < 1:
                raise InputError(f"--{name.replace('_', '-')} is {share}; expected 0 to below 1")
        if not 0 <= self.input_noise < float("inf"):
            raise InputError(f"--input-noise is {self.input_noise}; expected 0 or more")


@dataclass(frozen=True)
class ClassificationTask(ExamplesTask):
    """A label for a sequence."""

    name: ClassVar[str] = "classification"
    unit: ClassVar[str] = "nats"

    data: ClassificationData = field(default_factory=ClassificationData)
    model: ClassificationNet = field(default_factory=ClassificationNet)
    training: ClassificationTraining = field(default_factory=ClassificationTraining)

    def __post_init__(self) -> None:
        data = self.data
        if not (data.held_out or data.folds or data.held_out_share) and self.training.keep != "last":
            # Nothing is held out to choose by: those that did best on what they learned from would be chosen
            object.__setattr__(self, "training", replace(self.training, keep="last"))
