"""What the data would allow, and how much of that the net has not learnt."""

import math
from dataclasses import dataclass

import numpy as np

from peephole.doctor.examination import Examination
from peephole.doctor.measuring.course import course
from peephole.doctor.measuring.level import level
from peephole.models.ngram import NGram

COUNTED, PRICED = 500_000, 50_000  # tokens that the n-grams count, and those that they are measured on
ORDER, SHORT_ORDER, SHORT = 5, 3, 100_000  # a text shorter than SHORT has too few n-grams of five


@dataclass(frozen=True)
class Attainable:
    """Mean divergences a target.

    Attributes:
        ngram: of Kneser-Ney n-grams on the held-out text; NaN where the data is no text.
        lost: the share, 0 to 1, of what could be learnt that is not; against the n-grams where there are some, else
            against a divergence of zero. NaN where nothing is known of it.
    """

    ngram: float
    lost: float


def attainable(examination: Examination) -> Attainable:
    """From the text's n-grams and the net's level; without a net from where its history ends."""
    found = examination.measured(level)
    ngram = _ngram(examination)
    learnt = found.learnt if math.isfinite(found.learnt) else _learnt_by_history(examination)
    possible = 1.0
    if math.isfinite(ngram) and math.isfinite(found.trivial) and 0 < ngram < found.trivial:
        possible = 1.0 - ngram / found.trivial
    return Attainable(ngram, min(1.0, max(0.0, 1.0 - learnt / possible)) if math.isfinite(learnt) else math.nan)


def _learnt_by_history(examination: Examination) -> float:
    """The share of the trivial divergence, or of that at the first step, that was gone at the end."""
    trivial, went = examination.measured(level).trivial, examination.measured(course)
    if not len(went.divergences):
        return math.nan
    begun = trivial if math.isfinite(trivial) and trivial > 0 else float(went.divergences[0])
    ended = float(went.parts[-1]) if len(went.parts) else float(went.divergences[-1])
    if went.died or not (math.isfinite(begun) and math.isfinite(ended) and begun > 0):
        return 0.0 if went.died else math.nan
    return min(1.0, max(0.0, 1.0 - ended / begun))


def _ngram(examination: Examination) -> float:
    streams = examination.case.streams
    if streams is None or min(map(len, streams)) < 100:
        return math.nan
    training, held_out = (np.asarray(tokens[:most]) for tokens, most in zip(streams, (COUNTED, PRICED), strict=True))
    size = int(max(training.max(), held_out.max())) + 1
    model = NGram.fit(training, size, ORDER if len(training) >= SHORT else SHORT_ORDER)
    return float(model.surprisal(held_out).mean())
