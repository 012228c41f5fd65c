"""How much is still to be learnt: what a rule weighs its evidence with."""

import math

from peephole.doctor.examination import Examination
from peephole.doctor.measuring.attainable import attainable


def missing(examination: Examination) -> float:
    """The share of what could be learnt that is not, 0 to 1; 1 where nothing can be said of it."""
    lost = examination.measured(attainable).lost
    return 1.0 if math.isnan(lost) else lost
