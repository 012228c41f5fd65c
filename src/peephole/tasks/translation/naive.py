"""The naive methods of translation: no net, nothing tuned."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from peephole.errors import InputError

Texts = Sequence[str]
ROWS = 256  # sentences that are compared with all others at once


def copied(asked: Texts) -> list[str]:
    """The sentence itself."""
    return list(asked)


def nearest(known: Texts, translations: Texts, asked: Texts) -> list[str]:
    """The translation of the most similar sentence of training.

    Similar by the cosine of counts of words and pairs of them, weighted by how rare they are (tf-idf, Salton & Buckley
    1988); the first of equals.
    """
    text = _scikit_learn()
    counts = text.TfidfVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False, ngram_range=(1, 2))
    table = counts.fit_transform(known).T.tocsr()
    rows = counts.transform(asked)
    found: list[str] = []
    for start in range(0, rows.shape[0], ROWS):
        places = np.asarray((rows[start : start + ROWS] @ table).todense()).argmax(1)
        found += [translations[int(place)] for place in places.tolist()]
    return found


def word_by_word(known: Texts, translations: Texts, asked: Texts) -> list[str]:
    """For each word the one that stands in its translations and seldom elsewhere, in the order of the sentence.

    By the coefficient of Dice of the sentences that have either: 2 · both / (one + other). Words that training lacks
    stay as they are.
    """
    text = _scikit_learn()
    options: dict[str, Any] = {"tokenizer": str.split, "token_pattern": None, "lowercase": False, "binary": True}
    sources, targets = text.CountVectorizer(**options), text.CountVectorizer(**options)
    one, other = sources.fit_transform(known), targets.fit_transform(translations)
    both = (one.T @ other).tocsr()
    ones, others = np.asarray(one.sum(0)).ravel(), np.asarray(other.sum(0)).ravel()
    names = targets.get_feature_names_out()
    lexicon: dict[str, str] = {}
    for word in {word for sentence in asked for word in sentence.split()} & sources.vocabulary_.keys():
        row = sources.vocabulary_[word]
        places = both.indices[both.indptr[row] : both.indptr[row + 1]]
        counts = both.data[both.indptr[row] : both.indptr[row + 1]]
        lexicon[word] = str(names[places[(2 * counts / (ones[row] + others[places])).argmax()]])
    return [" ".join(lexicon.get(word, word) for word in sentence.split()) for sentence in asked]


def _scikit_learn() -> Any:
    try:
        from sklearn.feature_extraction import text
    except ImportError:
        raise InputError(
            "the naive methods need scikit-learn, which is not installed; pip install 'peephole[translation]'"
        ) from None
    return text
