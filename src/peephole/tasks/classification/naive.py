"""The field's naive methods on a part of the data: no net, nothing tuned."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peephole.data.sequences.store import Part
from peephole.errors import InputError
from peephole.tasks.classification.nearest_neighbour import BAND, nearest

KNOWN = 500  # sequences of training that others are compared with, at even distances
COLUMNS = 1_000_000  # of pairs of steps, in all: some seconds


def majority(train: Part, asked: Part) -> NDArray[np.int64]:
    """The label that training has most, for everything, `[asked]`."""
    most = int(np.bincount(targets_of(train)).argmax())
    return np.full(len(asked), most)


def nearest_neighbour(train: Part, asked: Part) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
    """Numbers of the sequences asked about, the label of the nearest of training for each, and what was compared.

    All are asked about, unless that takes more than some seconds: then as many as do not, at even distances.
    """
    known = _spread(len(train), KNOWN)
    longest = int(train.lengths[known].max())
    each = float(asked.lengths.mean()) * longest * min(1.0, 2 * BAND)
    numbers = _spread(len(asked), max(20, int(COLUMNS / max(1.0, each))))
    found = nearest(_values(train, known), _values(asked, numbers))
    limits = [f"of {len(known)}"] if len(known) < len(train) else []
    limits += [f"{len(numbers)} asked"] if len(numbers) < len(asked) else []
    return (
        numbers,
        targets_of(train)[known][found],
        f"nearest neighbour{' (' * bool(limits)}{', '.join(limits)}{')' * bool(limits)}",
    )


def naive_bayes(train: Part, asked: Part) -> NDArray[np.int64]:
    """The likeliest label by counts of one to three characters, as if they were independent, `[asked]`.

    Multinomial naive Bayes of scikit-learn with one more of each (Manning, Raghavan & Schütze 2008, chapter 13).
    """
    try:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.naive_bayes import MultinomialNB
        from sklearn.pipeline import make_pipeline
    except ImportError:
        raise InputError("metrics need scikit-learn, which is not installed; pip install 'peephole[metrics]'") from None
    model = make_pipeline(CountVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False), MultinomialNB())
    model.fit(_texts(train), targets_of(train))
    return np.asarray(model.predict(_texts(asked)), np.int64)


def targets_of(part: Part) -> NDArray[np.int64]:
    """The number of the label of each sequence, `[sequences]`."""
    return np.asarray(part.targets, np.int64).reshape(-1)


def _spread(count: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _values(part: Part, numbers: NDArray[np.int64]) -> Sequence[NDArray[np.float32]]:
    return [np.asarray(part.sequence(number)[0], np.float32) for number in numbers.tolist()]


def _texts(part: Part) -> list[str]:
    """A character for each symbol, whichever: only which are the same matters. Private ones, none is white space."""
    return [
        "".join(chr(0xF0000 + symbol) for symbol in part.sequence(number)[0].tolist()) for number in range(len(part))
    ]
