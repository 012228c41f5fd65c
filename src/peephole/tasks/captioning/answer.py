"""What a net says of a picture: a caption, or several, and where it looked."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

CUT_OFF = " […]"  # behind a caption that did not end by itself


@dataclass(frozen=True, eq=False)
class Caption:
    """A caption that was said.

    Attributes:
        words: what it says.
        log_probability: of all words and the end, in nats.
        score: what captions are ranked by.
        ended: whether it ended by itself; else it was cut off.
        attention: of each word how much it looked at each place of a grid over the picture, `[words, rows, columns]`;
            None where the net looks at nothing.
    """

    words: tuple[str, ...]
    log_probability: float
    score: float
    ended: bool
    attention: Float[Tensor, "words rows columns"] | None = None

    @property
    def text(self) -> str:
        return " ".join(self.words) + CUT_OFF * (not self.ended)

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types; the weights of a word add up to 1."""
        found: dict[str, Any] = {
            "caption": " ".join(self.words),
            "words": list(self.words),
            "log_probability": round(self.log_probability, 4),
            "score": round(self.score, 4),
            "ended": self.ended,
        }
        if self.attention is not None:
            found["attention"] = [[[round(x, 4) for x in row] for row in grid] for grid in self.attention.tolist()]
        return found


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture with its captions, the best first. `name` is its file."""

    name: str
    captions: tuple[Caption, ...]

    @property
    def text(self) -> str:
        """Columns parted by tabs: name, caption, score; a line for each caption."""
        return "\n".join(f"{self.name}\t{caption.text}\t{caption.score:.3f}" for caption in self.captions)

    def as_dict(self) -> dict[str, Any]:
        """The best caption, and after it the others."""
        first, *others = (caption.as_dict() for caption in self.captions)
        return {"picture": self.name, **first, "others": others}
