"""`Measurement`: what a language model was found to be worth on a text, beside others."""

import math
from dataclasses import dataclass
from typing import Any

from peephole.tasks.examples.scores import ScoreTable
from peephole.tasks.text.adapted import Adapted
from peephole.tasks.text.against_ngrams import AgainstNGram


@dataclass(frozen=True)
class Measurement:
    """One text measured by one model. Sums are in nats and include what `Passage.counts` says.

    Attributes:
        text, part: which, as `Passage` has them.
        unit: what the model's tokens are called, in the plural: characters, words or pieces.
        tokens: how many means are over, of characters the characters.
        words: what stands between spaces, and line ends, whatever a token is.
        characters: of the same text; of words that were cut at spaces with one space between them.
        unknown: tokens that training never saw.
        nats: sum that the model pays.
        baselines_nats: sums that others pay, by name; None where the run's training text is gone.
        trained_on: how many tokens, from the end of the training part, they have learned from.
        adapted: the model where it may look back.
        against: the net beside the longest n-gram, token by token.
        weights: how they are stored.
        lost: bits a character more than with float32 weights; None where they are that.
    """

    text: str
    part: str
    unit: str
    tokens: int
    words: int
    characters: int
    unknown: int
    nats: float
    baselines_nats: dict[str, float] | None = None
    trained_on: int = 0
    adapted: tuple[Adapted, ...] = ()
    against: AgainstNGram | None = None
    weights: str = "float32"
    lost: float | None = None

    @property
    def nats_per_token(self) -> float:
        """Mean surprisal of a token."""
        return self.nats / self.tokens

    @property
    def nats_per_character(self) -> float:
        """Mean surprisal of a character."""
        return self.nats / self.characters

    @property
    def bits_per_character(self) -> float:
        """The same in bits. Of words that stand for others, `<unk>`, it says too little: see `notes`."""
        return self.bits(self.nats)

    @property
    def perplexity(self) -> float:
        """Of a token: exp of the mean surprisal."""
        return self.perplexity_of(self.nats)

    @property
    def perplexity_per_word(self) -> float:
        """Of a word between spaces or a line end: what compares runs of characters, pieces and words."""
        return self.per_word(self.nats)

    @property
    def unknown_characters(self) -> int:
        """Characters that training never saw, of a model of characters."""
        return self.unknown if self.unit == "characters" else 0

    @property
    def unknown_share(self) -> float:
        """Share of tokens that training never saw."""
        return self.unknown / self.tokens

    @property
    def baselines(self) -> dict[str, float] | None:
        """Bits a character of the same text by others."""
        paid = self.baselines_nats
        return None if paid is None else {name: self.bits(nats) for name, nats in paid.items()}

    def bits(self, nats: float) -> float:
        """Bits a character, of a sum in nats."""
        return nats / math.log(2) / self.characters

    def perplexity_of(self, nats: float) -> float:
        """Perplexity of a token, of a sum in nats."""
        return _exp(nats / self.tokens)

    def per_word(self, nats: float) -> float:
        """Perplexity of a word between spaces or a line end, of a sum in nats."""
        return _exp(nats / self.words)

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known to read the numbers."""
        if self.unit != "words" or not self.unknown:
            return ()
        return (
            f"{self.unknown:,} of the words ({self.unknown_share:.1%}) are <unk>, which costs what the symbol costs, "
            "not which word it was: bits a character are those of the text with <unk> in it",
        )

    @property
    def pictures(self) -> tuple[tuple[str, Any], ...]:
        """Results by title, each with a `verdict` and a `plot(ax)`."""
        if self.against is None:
            return ()
        whole = (f"Against the {self.against.ngram}", self.against)
        return (whole, *((each.title.capitalize(), each) for each in self.against.breakdowns))

    @property
    def tables(self) -> tuple[ScoreTable, ...]:
        """What was tried, and the net beside the n-gram in groups of tokens."""
        tried = tuple(one.table for one in self.adapted if one.tried)
        return tried + (() if self.against is None else self.against.tables)

    def as_json(self) -> dict[str, Any]:
        """In JSON's types."""
        paid = self.baselines_nats
        return {
            "text": self.text,
            "part": self.part,
            "unit": self.unit,
            "tokens": self.tokens,
            "words": self.words,
            "characters": self.characters,
            "nats_per_token": self.nats_per_token,
            "nats_per_character": self.nats_per_character,
            "bits_per_character": self.bits_per_character,
            "perplexity": self.perplexity,
            "perplexity_per_word": self.perplexity_per_word,
            "unknown": self.unknown,
            "unknown_share": self.unknown_share,
            "unknown_characters": self.unknown_characters,
            "baselines": self.baselines,
            "baseline_perplexities": None if paid is None else {name: self.perplexity_of(paid[name]) for name in paid},
            "trained_on": self.trained_on,
            "adapted": [
                {
                    "name": one.name,
                    "nats_per_token": one.nats / self.tokens,
                    "bits_per_character": self.bits(one.nats),
                    "perplexity": self.perplexity_of(one.nats),
                    "perplexity_per_word": self.per_word(one.nats),
                    **one.as_json(),
                }
                for one in self.adapted
            ],
            "against_ngrams": None if self.against is None else self.against.as_json(),
            "weights": self.weights,
            "lost": self.lost,
            "notes": list(self.notes),
        }


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf  # a float holds no more
