"""How good labels of sequences are: of all, of each label."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.tasks.examples.scores import ScoreTable


@dataclass(frozen=True, eq=False)
class Classified:
    """Numbers of labels of the sequences of a part, in its order.

    Attributes:
        right: `[sequences]`.
        answers: `[sequences]`.
        confidences: the probability of each answer, `[sequences]`.
        surprisals: -ln of the probability of what is right, `[sequences]`.
    """

    right: Int64[np.ndarray, " sequences"]
    answers: Int64[np.ndarray, " sequences"]
    confidences: Float[np.ndarray, " sequences"]
    surprisals: Float[np.ndarray, " sequences"]


def classified(outputs: Iterator[tuple[Any, Any, Any]]) -> Classified:
    """From batches `(numbers, batch, logits [1, B, labels])` of a whole part."""
    numbers: list[NDArray[Any]] = []
    columns: list[tuple[NDArray[Any], ...]] = []
    for places, batch, logits in outputs:
        right, logs = batch.targets[0], logits[0].double().log_softmax(-1)
        likeliest = logs.max(-1)
        numbers.append(places)
        surprisals = -logs.gather(-1, right[:, None])[:, 0]
        columns.append(tuple(one.numpy() for one in (right, likeliest.indices, likeliest.values.exp(), surprisals)))
    order = np.argsort(np.concatenate(numbers))
    right, answers, confidences, surprisals = (np.concatenate(column)[order] for column in zip(*columns, strict=True))
    return Classified(right, answers, confidences, surprisals)


def metrics(right: NDArray[np.int64], answers: NDArray[np.int64]) -> dict[str, float]:
    """Shares of numbers of labels `[sequences]` by scikit-learn.

    Balanced accuracy is the mean over labels of the share that is right, macro F1 that of their F1; both over the
    labels that are right somewhere.
    """
    _, recall, f1, _ = _by_label(right, answers)
    return {
        "accuracy %": float((right == answers).mean()),
        "balanced accuracy %": float(np.mean(recall)),
        "macro F1 %": float(np.mean(f1)),
    }


def table(found: Classified, labels: Sequence[str]) -> ScoreTable:
    """Precision, recall and F1 of every label that is right somewhere."""
    names = [labels[number] for number in np.unique(found.right).tolist()]
    rows = zip(names, *_by_label(found.right, found.answers), strict=True)
    body = tuple((name, f"{p:.2%}", f"{r:.2%}", f"{f:.2%}", f"{int(n):,}") for name, p, r, f, n in rows)
    return ScoreTable("By label", ("label", "precision", "recall", "F1", "sequences"), body)


def _by_label(right: NDArray[np.int64], answers: NDArray[np.int64]) -> Any:
    """Precision, recall, F1 and count of each label that is right somewhere."""
    try:
        from sklearn.metrics import precision_recall_fscore_support
    except ImportError:
        raise InputError("metrics need scikit-learn, which is not installed; pip install 'peephole[metrics]'") from None
    return precision_recall_fscore_support(right, answers, labels=np.unique(right), zero_division=0)  # pyright: ignore[reportArgumentType]
