"""How much is still to be learnt: what a rule weighs its evidence with."""

import math

from peephole.doctor.examination import Examination
from peephole.doctor.measuring.attainable import attainable
from peephole.doctor.measuring.course import course

LEARNT = 0.1  # left of what could be learnt: next to all is
FEWEST_STEPS = 100  # of a training that has come anywhere
MOST_WHERE_LEARNT = 0.35  # confidence, under what is called medium


def missing(examination: Examination) -> float:
    """The share of what could be learnt that is not, 0 to 1; 1 where nothing can be said of it."""
    lost = examination.measured(attainable).lost
    return 1.0 if math.isnan(lost) else lost


def has_just_begun(examination: Examination) -> bool:
    """Whether the history says that training is in its first steps: what is not learnt then says nothing yet."""
    went = examination.measured(course)
    return len(went.steps) > 0 and bool(went.steps[-1] < FEWEST_STEPS) and not went.died


def weighed(sure: float, left: float, whole: float) -> float:
    """How sure evidence makes one of a cause where `left` is still to be learnt: as it is from `whole` on, less below.

    A net that has learnt nearly all is not ill: whatever is odd about it is said with low confidence.
    """
    value = sure * min(1.0, left / whole)
    return min(value, MOST_WHERE_LEARNT) if left < LEARNT else value
