"""n-grams: counts as a model, the baseline that a recurrent net has to beat.

Over token ids; what they spell, and files of such models, are in `generate.language.arpa`.
"""

from peephole.models.ngram.discounts import Discounts
from peephole.models.ngram.level import Level
from peephole.models.ngram.model import LONGEST, NGram, Reading

__all__ = ["LONGEST", "Discounts", "Level", "NGram", "Reading"]
