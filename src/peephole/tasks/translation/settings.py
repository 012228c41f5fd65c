"""The settings of translation. Imports nothing heavy: the command line reads it for its help."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

from peephole.data.translation.config import TranslationData
from peephole.errors import InputError
from peephole.models.config import EncoderDecoderConfig
from peephole.tasks.examples.settings import ExamplesTask
from peephole.train.config import SpeakingConfig

FEWEST_DRAWS = 20  # 95 in 100 of fewer are all of them

Unknown = Literal["mark", "source", "avoid"]
Tokenizer = Literal["auto", "none", "13a", "intl", "char", "zh"]


@dataclass(frozen=True)
class TranslationNet(EncoderDecoderConfig):
    """The net: an encoder over the sentence, attention, and a decoder that says the translation token by token."""

    # Recurrent cell of encoder and decoder. The gru has fewer weights than the lstm, and steps of both took as long.
    cell: Literal["lstm", "gru", "rnn"] = "gru"

    # Recurrent layers of each. One was enough for 29,000 pairs (docs/results.md).
    layers: int = 1

    # Units per layer and direction. With attention the sentence stays beside the decoder, and 256 are enough; without,
    # one vector has to hold it: take more, with a smaller --learning-rate (384 and 2e-3 in docs/results.md).
    hidden_size: int = 256

    # Width of a token's learned vector, and of what the choice among all tokens is made of: most of the time of a step.
    embedding_size: int = 256

    # Share of the outputs of each layer dropped while training. With 0.3 the held-out divergence of 29,000 pairs still
    # fell in the tenth pass.
    dropout: float = 0.3

    # Share of a token's learned vector that is dropped while training.
    input_dropout: float = 0.3


@dataclass(frozen=True)
class TranslationTraining(SpeakingConfig):
    """How to train: passes over the pairs."""

    # Budget in passes over the training data. Of 29,000 pairs (Multi30k) each of them still brought something: held-out
    # BLEU of the likeliest tokens 22, 28, 30, 32, 33, 33, 34, 35, 35 after each of the first nine.
    epochs: float | None = 10.0

    # With --epochs, take so many steps at least: some passes over a few hundred pairs are too few updates to learn
    # anything. 0: --epochs alone counts.
    fewest_steps: int = 1500

    # Pairs trained together: a thousand tokens, which products need to be fast.
    batch_size: int = 64

    # Size of the steps at their largest, for 256 units.
    learning_rate: float = 3e-3

    # Part of the old average of the weights that stays at a step: some thousand steps, two passes over 29,000 pairs.
    average: float = 0.999


@dataclass(frozen=True)
class TranslationDecoding:
    """How translations are searched for, and how they are compared with those that people wrote.

    Raises:
        InputError: a setting lies outside its range.
    """

    # Translations that are followed side by side (beam search). 1: always the likeliest token, in a third of the time.
    # On the held-out sentences of Multi30k five brought 1.2 BLEU with attention and 1.6 without, ten no more.
    beams: int = 5

    # Translations are ranked by log-probability / length to this power: 0 prefers short ones, 1 compares the mean of
    # their tokens (Wu et al. 2016). There 0, 0.6, 1 and 1.4 gave BLEU 35.2, 35.4, 35.8, 36.2 with attention and 24.3,
    # 24.9, 25.0, 24.3 without.
    length_power: float = 1.0

    # A translation that has not ended by itself is stopped after so many tokens for each token of the sentence and ten
    # more: a decoder that never ends would go on for ever.
    longest_ratio: float = 2.0

    # Say so many of the best translations of each sentence, with their scores (predict).
    best: int = 1

    # What to write for an unknown token: mark: <unk>; source: the token of the sentence that it looked at most, which
    # is right for names; avoid: say another one.
    unknown: Unknown = "mark"

    # How BLEU cuts text into words: a tokenizer of sacrebleu. auto: none where words stand between spaces in the data,
    # else 13a.
    tokenize: Tokenizer = "auto"

    # Draws that the confidence interval of BLEU is made of (eval). 0: no interval.
    bootstrap: int = 1000

    def __post_init__(self) -> None:
        for name in ("beams", "best"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}; expected at least 1")
        if self.best > self.beams:
            raise InputError(f"--best is {self.best}; expected at most the {self.beams} of --beams; raise those")
        if not 0 <= self.length_power < float("inf"):
            raise InputError(f"--length-power is {self.length_power}; expected 0 or more")
        if not 0 < self.longest_ratio < float("inf"):
            raise InputError(f"--longest-ratio is {self.longest_ratio}; expected more than 0")
        if self.bootstrap and self.bootstrap < FEWEST_DRAWS:
            raise InputError(f"--bootstrap is {self.bootstrap}; expected {FEWEST_DRAWS} draws or more, or 0 for none")
        for name, kind in (("unknown", Unknown), ("tokenize", Tokenizer)):
            if getattr(self, name) not in get_args(kind):
                raise InputError(f"--{name} is {getattr(self, name)!r}; expected one of {', '.join(get_args(kind))}")


@dataclass(frozen=True)
class TranslationTask(ExamplesTask):
    """A translation of a sentence."""

    name: ClassVar[str] = "translation"
    unit: ClassVar[str] = "nats a token"

    data: TranslationData = field(default_factory=TranslationData)
    model: TranslationNet = field(default_factory=TranslationNet)
    training: TranslationTraining = field(default_factory=TranslationTraining)
