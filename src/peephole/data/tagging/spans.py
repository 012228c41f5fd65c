"""Labels that spell spans: B-, I- and O (Ramshaw & Marcus 1995), with E- and S-, or L- and U-, for ends and singles."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from peephole.errors import InputError

OUTSIDE = "O"
PART = re.compile(r"([BIESLU])-\S.*")
SCHEMES = {"IOBES": "BIES", "BILOU": "BILU"}  # seqeval's names, and the letters


def are_spans(labels: Iterable[str]) -> bool:
    """Whether each label is O or a letter of a scheme, a dash and a name, and one at least is no O."""
    parts = [label for label in labels if label != OUTSIDE]
    return bool(parts) and all(PART.fullmatch(label) for label in parts)


def span_scores(right: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> dict[str, float]:
    """Precision, recall and F1 of whole spans, micro averaged, by seqeval; labels a sentence, in both the same lengths.

    A span counts where beginning, end and name are right. Of B, I and O it is read as the script `conlleval` of CoNLL
    reads it, so that an I- without a B- begins a span; of the longer schemes strictly.

    Raises:
        InputError: seqeval is not installed.
    """
    try:
        from seqeval.metrics import f1_score, precision_score, recall_score
        from seqeval.scheme import BILOU, IOBES
    except ImportError:
        raise InputError(
            "scores of spans need seqeval, which is not installed; pip install 'peephole[tagging]'"
        ) from None
    letters = {label[0] for sentence in right for label in sentence if label != OUTSIDE}
    options: dict[str, Any] = {"zero_division": 0}
    if letters - set("BI"):
        options |= {"mode": "strict", "scheme": BILOU if letters & set("LU") else IOBES}
    wanted, given = [list(sentence) for sentence in right], [list(sentence) for sentence in answers]
    scores: dict[str, Any] = {
        "precision": precision_score(wanted, given, **options),
        "recall": recall_score(wanted, given, **options),
        "f1": f1_score(wanted, given, **options),
    }
    return {name: float(score) for name, score in scores.items()}
