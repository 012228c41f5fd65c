"""Labels that spell spans: B-, I- and O (Ramshaw & Marcus 1995), with E- and S-, or L- and U-, for ends and singles."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from peephole.errors import InputError

OUTSIDE = "O"
PART = re.compile(r"([BIESLU])-\S.*")


def are_spans(labels: Iterable[str]) -> bool:
    """Whether each label is O or a letter of a scheme, a dash and a name, and one at least is no O."""
    parts = [label for label in labels if label != OUTSIDE]
    return bool(parts) and all(PART.fullmatch(label) for label in parts)


@dataclass(frozen=True)
class SpanScore:
    """Precision, recall and F1, and how many spans are right somewhere."""

    precision: float
    recall: float
    f1: float
    spans: int


ALL = "all"  # the name of the score over every kind, micro averaged


def span_scores(right: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> dict[str, SpanScore]:
    """The score of each kind of span and of all together, by seqeval; labels by sentence, as many in both.

    A span counts where beginning, end and kind are right. Of B, I and O it is read as the script `conlleval` of CoNLL
    reads it, so that an I- without a B- begins a span; of the longer schemes strictly.

    Raises:
        InputError: seqeval is not installed.
    """
    check_installed()
    from seqeval.metrics import classification_report
    from seqeval.scheme import BILOU, IOBES

    letters = {label[0] for sentence in right for label in sentence if label != OUTSIDE}
    options: dict[str, Any] = {"output_dict": True, "zero_division": 0}
    if letters - set("BI"):
        options |= {"mode": "strict", "scheme": BILOU if letters & set("LU") else IOBES}
    wanted, given = [list(sentence) for sentence in right], [list(sentence) for sentence in answers]
    if all(label == OUTSIDE for sentence in (*wanted, *given) for label in sentence):
        return {ALL: SpanScore(0.0, 0.0, 0.0, 0)}  # of which seqeval makes no report
    report: Any = classification_report(wanted, given, **options)
    names = [name for name in report if name not in ("micro avg", "macro avg", "weighted avg")]
    return {
        ALL if name == "micro avg" else name: SpanScore(
            float(report[name]["precision"]),
            float(report[name]["recall"]),
            float(report[name]["f1-score"]),
            int(report[name]["support"]),
        )
        for name in ("micro avg", *names)
    }


def check_installed() -> None:
    """Raise `InputError`, with the extra's name, where seqeval is missing."""
    try:
        import seqeval  # noqa: F401
    except ImportError:
        raise InputError(
            "scores of spans need seqeval, which is not installed; pip install 'peephole[tagging]'"
        ) from None
