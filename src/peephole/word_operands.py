"""What one call that learns word vectors is given: a stretch of text, how windows are made of it, what outputs are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int32, Int64, UInt8, UInt32

END = -1  # in the place of a word: a sentence ends
ALWAYS = 0xFFFFFFFF  # in `WordSettings.kept`: a word that is never dropped
NOISE_SLOT = np.dtype([("below", "<u4"), ("other", "<i4")])

Table = Float[np.ndarray, "_ numbers"]  # rows of two tables need not be as many


@dataclass(frozen=True, eq=False)
class Noise:
    """The distribution that negatives are drawn from, by the alias method (Walker 1977).

    `slots` `[V]` of NOISE_SLOT: word v itself where a draw of 32 bits is below the limit, else the other one. At most
    `sharing` contexts of a window, neighbours of each other, are told apart from the same negatives.
    """

    slots: np.ndarray
    negatives: int
    sharing: int


@dataclass(frozen=True, eq=False)
class Tree:
    """A binary tree whose leaves are the words (hierarchical softmax, Morin & Bengio 2005).

    Word v goes through the inner nodes `nodes[paths[v] : paths[v + 1]]`, from the root on; where `turns` is 0 it takes
    the branch whose probability is the sigmoid of the score.
    """

    paths: Int64[np.ndarray, " words_and_one"]
    nodes: Int32[np.ndarray, " steps"]
    turns: UInt8[np.ndarray, " steps"]


@dataclass(frozen=True, eq=False)
class WordSettings:
    """How windows are drawn and what is predicted of them.

    Attributes:
        kept: a word stays in a sentence where a draw of 32 bits is below that, `[V]`; ALWAYS without a draw.
        window: most words to either side; with `shrink` drawn from 1 to that for each word.
        bag: the mean of the contexts predicts the word (CBOW); else each of them does (skip-gram).
        divided: the gradient of that mean is shared out among the contexts, as calculus has it; word2vec gives all of
            it to each of them.
        outputs: what tells words apart.
    """

    kept: UInt32[np.ndarray, " words"]
    window: int
    shrink: bool
    bag: bool
    divided: bool
    outputs: Noise | Tree


@dataclass(frozen=True, eq=False)
class Stretch:
    """A piece of text: words by their rows, END after a sentence, in parts that are learnt from one after another.

    Part p is `tokens[starts[p] : starts[p + 1]]`, has the learning rate `rates[p]`, and draws by `seed` and its number
    in the whole training, `first` + p.
    """

    tokens: Int32[np.ndarray, " tokens"]
    starts: Int64[np.ndarray, " parts_and_one"]
    rates: Float64[np.ndarray, " parts"]
    first: int
    seed: int


@dataclass(frozen=True, eq=False)
class Learnt:
    """Of each part: the sum of −log P in nats, with the weights as they were when each window was reached, and how
    many predictions that is a sum of.
    """

    losses: Float64[np.ndarray, " parts"]
    targets: Int64[np.ndarray, " parts"]
