"""How to turn what a net with CTC answers into words. Imports nothing heavy: the command line reads it for its help."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from peephole.errors import InputError

LONGEST_NGRAM = 8


@dataclass(frozen=True)
class SpeechDecoding:
    """How to turn what a net with CTC answers into words."""

    # Prefixes that the search keeps at each frame; 0 takes the likeliest symbol of every frame instead, which needs no
    # search. On strings of spoken digits 4 find what 256 do, 5.5 % of the words wrong in place of the best path's 5.9;
    # 16 cost the same, and leave room for longer recordings and for a language model.
    beams: int = 16

    # Symbols that a frame holds for less likely than this start no new prefix. In most frames of a trained net nothing
    # but the blank is above it, which is what makes the search quick.
    least: float = 1e-3

    # What else says which words are likely: a run of `peephole train text`; an ARPA file of n-grams, such as `peephole
    # ngram --out` writes; or a text with an utterance a line, whose n-grams are counted. None: the sound alone.
    language_model: Path | None = None

    # Weight of its log-probabilities beside those of the sound. With 1 a model that does not know what decides does
    # harm: on digits with a checksum 4-grams make 6.5 % of wrong words 7.3 with 1, 6.7 with 0.5 (--word-bonus 1).
    language_weight: float = 0.5

    # Nats that every word earns beside a language model, by which each costs some, so that fewer would win: about the
    # weight times the mean surprisal of a word. Digits cost 2.3; without a bonus 4-grams of telephone numbers leave
    # 0.65 % of the words wrong, with 1 0.30 %.
    word_bonus: float = 1.0

    # What the n-grams of a text are of; an ARPA file says that itself. Words know what goes together; characters spell
    # what they never saw.
    ngram_units: Literal["words", "characters"] = "words"

    # Length of the longest n-grams of a text. 4 of words, as usual for speech.
    ngram_order: int = 4

    def __post_init__(self) -> None:
        if self.beams < 0:
            raise InputError(f"--beams is {self.beams}; expected 0 (the best path) or more")
        if not 0 <= self.least < 1:
            raise InputError(f"--least is {self.least}; expected a probability, 0 up to 1")
        if not 0 <= self.language_weight < math.inf:
            raise InputError(f"--language-weight is {self.language_weight}; expected 0 or more")
        if not math.isfinite(self.word_bonus):
            raise InputError(f"--word-bonus is {self.word_bonus}; expected a number of nats")
        if not 1 <= self.ngram_order <= LONGEST_NGRAM:
            raise InputError(f"--ngram-order is {self.ngram_order}; expected 1 to {LONGEST_NGRAM}")
        if self.language_model is not None and self.beams == 0:
            raise InputError("--language-model came with --beams 0, the best path, which asks none; give --beams 16")
