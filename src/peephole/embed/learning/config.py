"""The settings of skip-gram and CBOW. Imports nothing heavy: the command line reads it for its help."""

import math
import os
from dataclasses import dataclass, field
from typing import Literal, get_args

from peephole.errors import InputError

Kind = Literal["skipgram", "cbow"]
Softmax = Literal["negative", "hierarchical"]
RATES = {"skipgram": 0.025, "cbow": 0.05}
MOST = {"size": 10_000, "window": 1000, "negatives": 1000, "sharing": 2000, "epochs": 1_000_000, "threads": 256}


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class EmbedConfig:
    """How vectors of words are learnt: from the words around each.

    Raises:
        InputError: a setting lies outside its range.
    """

    # skipgram: each context predicts the word by itself; better for rare words. cbow: the mean of the contexts does, a
    # soft bag of words; several times quicker.
    kind: Kind = "skipgram"

    # Numbers of a word's vector. 100 to 300 is usual; beyond, vectors of small texts get no better.
    size: int = 100

    # Most words to either side that count as context. Few say how words are used, many what texts are about.
    window: int = 5

    # How the right word is told from all others. negative: from a few drawn ones (Mikolov et al. 2013); better for
    # frequent words, and quicker. hierarchical: along a path of a tree of Huffman's, a true distribution over all
    # words; better for rare words.
    softmax: Softmax = "negative"

    # With negative: how many are drawn for a right one. 5 to 20 for small texts, 2 to 5 for large ones.
    negatives: int = 5

    # With negative and skipgram: how many contexts of a window, neighbours of each other, share the drawn ones. More is
    # quicker; 1 draws anew for each, as word2vec does.
    sharing: int = 4

    # With negative: words are drawn by their count to this power. 0 draws all alike.
    exponent: float = 0.75

    # Words that make up more than about this share of the text are thinned out, the more the more frequent they are; 0
    # keeps all. 1e-3 to 1e-5: less is quicker, and gives rare words more of a say.
    sample: float = 1e-3

    # The reach of each window is drawn from 1 to --window, so that near words count more; else it is always the same.
    shrink_window: bool = True

    # Times that the text is gone through.
    epochs: int = 5

    # Learning rate to begin with; it falls in a straight line. Default: 0.025, with CBOW 0.05.
    learning_rate: float | None = None

    # Learning rate that is reached at the end.
    least_rate: float = 1e-4

    # With CBOW: share the gradient of the contexts' mean out among them, as calculus has it. word2vec gives each
    # context all of it, which is a larger step for inputs than for outputs.
    divided: bool = False

    # Threads. With one the same seed gives the same vectors, bit for bit; several write without locks, which costs a
    # little of that. Default: as many as there are cores.
    threads: int = field(default_factory=cores)

    # Seed of first vectors, windows and negatives.
    seed: int = 0

    @property
    def rate(self) -> float:
        """The learning rate to begin with."""
        return RATES[self.kind] if self.learning_rate is None else self.learning_rate

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(f"kind is {self.kind!r}; expected one of {', '.join(get_args(Kind))}")
        for name, most in MOST.items():
            value = getattr(self, name)
            if not (isinstance(value, int) and 1 <= value <= most):
                raise InputError(f"--{name} is {value}; expected a whole number from 1 to {most:,}")
        if self.softmax not in get_args(Softmax):
            raise InputError(f"--softmax is {self.softmax!r}; expected one of {', '.join(get_args(Softmax))}")
        for name, most in (("exponent", 100), ("sample", 1), ("least_rate", 1000)):
            if not 0 <= getattr(self, name) <= most:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected 0 to {most}")
        if not self.least_rate <= self.rate < math.inf:
            raise InputError(f"--learning-rate is {self.rate:g}; expected --least-rate, {self.least_rate:g}, or more")
        if not (isinstance(self.seed, int) and 0 <= self.seed < 2**63):
            raise InputError(f"--seed is {self.seed}; expected 0 to 2^63 - 1")
