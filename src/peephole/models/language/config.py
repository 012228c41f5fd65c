"""What a language model is made of. Imports nothing heavy: the command line reads it for its help."""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from peephole.errors import InputError
from peephole.models.config import ModelConfig, Stack
from peephole.spec import Switches

Softmax = Literal["auto", "full", "adaptive", "sampled"]
MOST_CONTEXT = 100  # words that a net without recurrence can look back, each with a copy of its vector and a matrix
FEW_SYMBOLS = 2000  # up to which embedding and output have weights of their own unless told otherwise

SHARED = ("layers", "hidden_size", "embedding_size", "dropout", "init")
RECURRENT = {  # settings that a net without recurrence does not have, with their usual values
    **{one.name: one.default for kind in (Stack, Switches) for one in fields(kind) if one.name not in SHARED},
    "narrow_last": False,
}


@dataclass(frozen=True)
class LanguageConfig(ModelConfig):
    """A net that predicts the next symbol of a text: characters, pieces or words."""

    # The weights of the output are those of the symbols' vectors (Press & Wolf 2017): half the parameters of a large
    # vocabulary, and rare words learn at both ends. None: where there are over 2000 symbols and the widths agree, and
    # the vectors are not frozen.
    tied: bool | None = None

    # How the choice among all symbols is trained. full: all of them at each step. adaptive: the frequent ones, and
    # clusters of rarer ones only where one of them comes (Grave et al. 2017). sampled: the right ones against a drawn
    # few (Jean et al. 2015); measured and used it is full. auto: full, sampled from 16,384 symbols on.
    softmax: Softmax = "auto"

    # With adaptive: the ranks at which the clusters begin, by falling frequency. Default: as few products as possible.
    cutoffs: tuple[int, ...] = ()

    # With sampled: how many symbols are drawn a step, shared by all its targets.
    samples: int = 4096

    # Share of the numbers of a symbol's vector that is dropped while training.
    input_dropout: float = 0.0

    # Share of all symbols whose whole vectors a window does without while training (Gal & Ghahramani 2016).
    embedding_dropout: float = 0.0

    # Share of the last layer's outputs dropped while training. None: as --dropout.
    output_dropout: float | None = None

    # What is dropped stays so for all steps of a window (variational dropout, Gal & Ghahramani 2016), rather than being
    # drawn at each step.
    locked_dropout: bool = False

    # Pull of the last layer's outputs towards zero (activation regularisation, Merity et al. 2017).
    activation_penalty: float = 0.0

    # Pull of the last layer's outputs towards those of the step before (the same).
    temporal_penalty: float = 0.0

    # The last layer has as many units as a symbol's vector has numbers, so that wide layers can be tied (AWD-LSTM).
    narrow_last: bool = False

    # Where training starts. orthogonal keeps the length of h over time; uniform draws every parameter within
    # --initial-range of zero, as older papers do, then sets the forget gate's bias where there is one to set; the
    # others as the cells have them.
    init: Literal[  # pyright: ignore[reportIncompatibleVariableOverride]
        "torch", "orthogonal", "identity", "chrono", "auto", "uniform"
    ] = "orthogonal"

    # With --init uniform, how far from zero.
    initial_range: float = 0.1

    # Draw symbols' vectors within so much of zero. None: as --init says.
    embedding_range: float | None = None

    # So many words are all that a step sees: a net without recurrence, their projections side by side under one tanh
    # layer of --hidden-size units (TDNN, Bengio et al. 2003). 0: a recurrent net.
    context: int = 0

    # With --context: the softmax sees the projections too, not the tanh layer alone.
    direct: bool = False

    # Start from these vectors of words, in place of random ones: a file in word2vec's text or binary format, or a run
    # of skip-gram, CBOW or a language model. A word that is not there as it is spelled is looked for in lower case;
    # those that lack a vector start as usual, and all others are scaled by one factor to the usual size.
    vectors: Path | None = None

    # Keep the table of vectors as it starts while everything else is trained, words that --vectors lacks included.
    frozen_vectors: bool = False

    # Where symbols are numbered by falling frequency, as words are, the output begins with Zipf's law in its biases
    # rather than with all words alike: the first hundred thousand words teach more than what is frequent.
    zipf_start: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("input_dropout", "embedding_dropout", "output_dropout"):
            rate = getattr(self, name)
            if rate is not None and not 0.0 <= rate < 1.0:
                raise InputError(f"--{name.replace('_', '-')} is {rate}; expected 0 to below 1")
        for name in ("activation_penalty", "temporal_penalty"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected 0 or more")
        for name in ("initial_range", "embedding_range"):
            size = getattr(self, name)
            if size is not None and not 0.0 < size < math.inf:
                raise InputError(f"--{name.replace('_', '-')} is {size}; expected more than 0")
        if self.softmax not in get_args(Softmax):
            raise InputError(f"--softmax is {self.softmax!r}; expected one of {', '.join(get_args(Softmax))}")
        if self.samples < 1:
            raise InputError(f"--samples is {self.samples}; expected at least 1 symbol")
        if list(self.cutoffs) != sorted(set(self.cutoffs)) or (self.cutoffs and self.cutoffs[0] < 1):
            raise InputError(f"--cutoffs is {self.cutoffs}; expected rising ranks from 1 on, for example 2000 10000")
        self._check_context()
        if self.frozen_vectors and self.vectors is None:
            raise InputError("--frozen-vectors keeps the vectors of --vectors as they are; give it too")
        if self.frozen_vectors and self.tied:
            raise InputError("--frozen-vectors and --tied would fix the output too; leave one of them away")
        if self.narrow_last and (self.layers < 2 or self.proj_size or self.learned_states):
            raise InputError("--narrow-last needs two layers or more, without --proj-size and --learned-states")
        if self.tied and self.width != self.embedding_size:
            raise InputError(
                f"--tied needs outputs as wide as a symbol's vector, and they have {self.width} and "
                f"{self.embedding_size} numbers; pass --embedding-size {self.width}, or --narrow-last"
            )

    def _check_context(self) -> None:
        if not 0 <= self.context <= MOST_CONTEXT:
            raise InputError(f"--context is {self.context}; expected 1 to {MOST_CONTEXT}, or 0 for a recurrent net")
        if not self.context:
            if self.direct:
                raise InputError("--direct is of a net without recurrence; give --context, or leave it away")
            return
        if self.direct and self.tied:
            raise InputError("--tied makes the output of vectors alone, and --direct of more; leave one of them away")
        if self.layers != 1:
            raise InputError(f"--layers is {self.layers}; a net with --context has one tanh layer, expected --layers 1")
        for name, usual in RECURRENT.items():
            if getattr(self, name) != usual:
                flag = f"--{name.replace('_', '-')}"
                raise InputError(f"{flag} is of a recurrent net, and --context makes another; leave one of them away")
        if self.init not in ("torch", "orthogonal", "uniform"):
            raise InputError(f"--init is {self.init!r}; expected torch, orthogonal or uniform with --context")

    @property
    def entry_dropout(self) -> float:
        return self.input_dropout

    @property
    def exit_dropout(self) -> float:
        """Share of the last layer's outputs that is dropped while training."""
        return self.dropout if self.output_dropout is None else self.output_dropout

    @property
    def width(self) -> int:
        if self.direct:
            return self.hidden_size + self.context * self.embedding_size
        return self.embedding_size if self.narrow_last else super().width

    @property
    def start(self) -> dict[str, object]:
        start = super().start
        return {**start, "init": "torch"} if self.init == "uniform" else start  # the model draws them itself

    def ties(self, symbols: int) -> bool:
        """Whether input and output share their weights, of so many symbols."""
        if self.tied is None:
            return not self.frozen_vectors and symbols > FEW_SYMBOLS and self.width == self.embedding_size
        return self.tied
