"""What a net makes of a sentence: a translation or several, where it looked, and what has to be said of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Candidate:
    """One translation of a sentence.

    Attributes:
        text: as people read it.
        tokens: as the net said it, the end included where it ended.
        score: by which it was ranked: log-probability in nats / length to the power that was asked for.
        log_probability: in nats.
        ended: whether it ended by itself.
        attention: where the net looked as it said each token, `[U, S]`; None without attention.
    """

    text: str
    tokens: tuple[str, ...]
    score: float
    log_probability: float
    ended: bool
    attention: Float[np.ndarray, "tokens places"] | None = None


@dataclass(frozen=True, eq=False)
class Translation:
    """A sentence with its translations.

    Attributes:
        source: its tokens in the order in which the net read them, the end included; none of an empty line.
        candidates: the best first; none of an empty line.
        notes: what has to be known, such as that it was stopped.
    """

    source: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> str:
        """The best translation, empty of an empty line."""
        return self.candidates[0].text if self.candidates else ""

    @property
    def text(self) -> str:
        """A line each: the translation, with its score before it where there are several; notes stand beside it."""
        several = len(self.candidates) > 1
        return "\n".join([f"{one.score:.4f}\t{one.text}" if several else one.text for one in self.candidates] or [""])

    def as_dict(self) -> dict[str, Any]:
        return {
            "translation": self.best,
            "source_tokens": list(self.source),
            "candidates": [
                {
                    "text": one.text,
                    "tokens": list(one.tokens),
                    "score": round(one.score, 5),
                    "log_probability": round(one.log_probability, 4),
                    "ended": one.ended,
                    **(
                        {}
                        if one.attention is None
                        else {"attention": np.round(one.attention.astype(np.float64), 4).tolist()}
                    ),
                }
                for one in self.candidates
            ],
            "notes": list(self.notes),
        }
