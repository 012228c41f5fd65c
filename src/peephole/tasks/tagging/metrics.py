"""How good labels are: of words, of words that training lacks, of each label, of whole spans."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64
from numpy.typing import NDArray

from peephole.data.tagging.encoding import UNKNOWN
from peephole.data.tagging.spans import ALL, span_scores
from peephole.errors import InputError
from peephole.tasks.examples.scores import ScoreTable


@dataclass(frozen=True, eq=False)
class Labelled:
    """Numbers of labels of all words of a part, one sentence after another.

    Attributes:
        right: `[words]`.
        answers: `[words]`.
        confidences: the probability of each answer, `[words]`.
        unknown: whether training lacks the word, `[words]`.
        ends: the number of words up to and with each sentence, `[sentences]`.
    """

    right: Int64[np.ndarray, " words"]
    answers: Int64[np.ndarray, " words"]
    confidences: Float[np.ndarray, " words"]
    unknown: Bool[np.ndarray, " words"]
    ends: Int64[np.ndarray, " sentences"]

    def sentences(self, numbers: NDArray[np.int64], labels: Sequence[str]) -> list[list[str]]:
        """Names of labels by sentence, of `right` or `answers`."""
        names = [labels[int(number)] for number in numbers]
        starts = [0, *self.ends.tolist()]
        return [names[start:end] for start, end in pairwise(starts)]


def labelled(outputs: Iterator[tuple[Any, Any, Any]]) -> Labelled:
    """From batches `(numbers, batch, logits [T, B, labels])` of whole sentences."""
    right: list[NDArray[Any]] = []
    answers: list[NDArray[Any]] = []
    confidences: list[NDArray[Any]] = []
    unknown: list[NDArray[Any]] = []
    for _, batch, logits in outputs:
        likeliest = logits.softmax(-1).max(-1)
        for row, length in enumerate(batch.lengths.tolist()):
            right.append(batch.targets[:length, row].numpy())
            answers.append(likeliest.indices[:length, row].numpy())
            confidences.append(likeliest.values[:length, row].numpy())
            unknown.append(batch.inputs[:length, row, 0].numpy() == UNKNOWN)
    return Labelled(
        np.concatenate(right),
        np.concatenate(answers),
        np.concatenate(confidences).astype(np.float64),
        np.concatenate(unknown),
        np.cumsum([len(sentence) for sentence in right], dtype=np.int64),
    )


def metrics(found: Labelled, labels: Sequence[str], spans: bool) -> dict[str, float]:
    """What a part says; of spans their F1 comes first, else the share of words that are right.

    Macro F1 is the mean over the labels that are right somewhere.
    """
    hits = found.right == found.answers
    scores: dict[str, float] = {}
    if spans:
        scores["span F1 %"] = span_scores(*_named(found, labels))[ALL].f1
    scores["accuracy %"] = float(hits.mean())
    if found.unknown.any():
        scores["unknown words %"] = float(hits[found.unknown].mean())
    scores["macro F1 %"] = float(np.mean(_by_label(found, len(labels))[2]))
    return scores


def tables(found: Labelled, labels: Sequence[str], spans: bool) -> tuple[ScoreTable, ...]:
    """Precision, recall and F1 of every label, and of every kind of span."""
    precision, recall, f1, support = _by_label(found, len(labels))
    names = [label for number, label in enumerate(labels) if (found.right == number).any()]
    tables = [_table("By label", "label", "words", list(zip(names, precision, recall, f1, support, strict=True)))]
    if spans:
        scores = span_scores(*_named(found, labels))
        rows = [(kind, one.precision, one.recall, one.f1, one.spans) for kind, one in scores.items()]
        tables.insert(0, _table("By kind of span", "kind", "spans", rows))
    return tuple(tables)


def _named(found: Labelled, labels: Sequence[str]) -> tuple[list[list[str]], list[list[str]]]:
    return found.sentences(found.right, labels), found.sentences(found.answers, labels)


def _by_label(found: Labelled, labels: int) -> Any:
    """Precision, recall, F1 and count of each label that is right somewhere, by scikit-learn."""
    try:
        from sklearn.metrics import precision_recall_fscore_support
    except ImportError:
        raise InputError(
            "scores of labels need scikit-learn, which is not installed; pip install 'peephole[tagging]'"
        ) from None
    options: dict[str, Any] = {"labels": np.flatnonzero(np.bincount(found.right, minlength=labels)), "zero_division": 0}
    return precision_recall_fscore_support(found.right, found.answers, **options)


def _table(caption: str, first: str, last: str, rows: list[tuple[Any, ...]]) -> ScoreTable:
    body = [(str(name), f"{p:.2%}", f"{r:.2%}", f"{f:.2%}", f"{int(n):,}") for name, p, r, f, n in rows]
    return ScoreTable(caption, (first, "precision", "recall", "F1", last), tuple(body))
