"""How near translations come to those that people wrote: BLEU and chrF, by sacrebleu (Post 2018)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from peephole.data.translation.config import Cut
from peephole.errors import InputError
from peephole.tasks.examples.scores import ScoreTable
from peephole.tasks.translation.answer import Translation
from peephole.tasks.translation.settings import Tokenizer

BINS = 5  # groups of sentences by length, about as many in each
SHOWN = 5  # sentences whose translations are shown


@dataclass(frozen=True)
class Quality:
    """What a part says.

    Attributes:
        bleu: 0 to 100, over all sentences (Papineni et al. 2002).
        chrf: F of characters in groups of one to six, 0 to 100 (Popović 2015).
        interval: half of what 95 in 100 draws of the sentences, with replacement, lie within (Koehn 2004); None where
            none were made.
        signature: how BLEU was computed, as sacrebleu says it.
    """

    bleu: float
    chrf: float
    interval: float | None
    signature: str


def quality(answers: Sequence[str], references: Sequence[str], tokenize: str, bootstrap: int = 0) -> Quality:
    """BLEU and chrF of answers against one reference each. `InputError` where sacrebleu is not installed."""
    metrics = _sacrebleu()
    bleu = metrics.BLEU(tokenize=tokenize, force=True)
    found = bleu.corpus_score(list(answers), [list(references)], n_bootstrap=bootstrap or 1)
    chrf = metrics.CHRF().corpus_score(list(answers), [list(references)])
    interval = float(found._ci) if bootstrap else None
    return Quality(found.score, chrf.score, interval, str(bleu.get_signature()))


def bleu(answers: Sequence[str], references: Sequence[str], tokenize: str) -> float:
    """BLEU alone, 0 to 100."""
    return _sacrebleu().BLEU(tokenize=tokenize, force=True).corpus_score(list(answers), [list(references)]).score


def tokenizer_for(cut: Cut, asked: Tokenizer) -> str:
    """Text that was cut into words already is taken as it is."""
    if asked != "auto":
        return asked
    return "none" if cut == "spaces" else "13a"


def check_installed() -> None:
    """`InputError` where sacrebleu is not installed, said before any work."""
    _sacrebleu()


def by_length(
    answers: Sequence[str], references: Sequence[str], lengths: Sequence[int], tokenize: str, unit: str
) -> ScoreTable:
    """BLEU of sentences by how many tokens they have: a net without attention forgets the beginning of long ones."""
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, BINS + 1)).astype(int))
    sizes = np.asarray(lengths)
    rows: list[tuple[str, ...]] = []
    for place, end in enumerate(edges[1:].tolist() or edges.tolist()):
        start = int(edges[0]) if not place else int(edges[place]) + 1
        chosen = np.flatnonzero((sizes >= start) & (sizes <= end)).tolist()
        if chosen:
            score = bleu([answers[one] for one in chosen], [references[one] for one in chosen], tokenize)
            words = [len(answers[one].split()) / max(1, len(references[one].split())) for one in chosen]
            spread = f"{start}" if start == end else f"{start} to {end}"
            rows.append((spread, f"{score:.1f}", f"{np.mean(words):.2f}", f"{len(chosen):,}"))
    return ScoreTable(f"By {unit} of the sentence", (unit, "BLEU", "length to reference's", "sentences"), tuple(rows))


def examples(texts: Sequence[tuple[str, str]], answers: Mapping[int, Translation]) -> ScoreTable:
    """Some sentences, at even distances, with the translation of people and that of the net."""
    numbers = sorted(answers)
    rows: list[tuple[str, ...]] = []
    for number in numbers[:: max(1, len(numbers) // SHOWN)][:SHOWN]:
        source, target = texts[number]
        rows += [("sentence", source), ("reference", target), ("this net", answers[number].best)]
    return ScoreTable("Translations", ("", "text"), tuple(rows))


def _sacrebleu() -> Any:
    try:
        from sacrebleu import metrics
    except ImportError:
        raise InputError("BLEU needs sacrebleu, which is not installed; pip install 'peephole[translation]'") from None
    return metrics
