"""What a net says at a step of a piece: how surprised it was, and what it expects next."""

from dataclasses import dataclass
from typing import Any

from peephole.data.music.piece import Chord, sounding


@dataclass(frozen=True)
class NextNotes:
    """A step as it was heard, and the likeliest notes of the one after it.

    Attributes:
        place: where it stands, `line 3`.
        chord: the pitches that sounded.
        nats: what it took to say them, given the steps before.
        notes: likely pitches of the next step with their probabilities, the likeliest first; of a net of voices the
            likeliest of each voice, given those of the voices before it.
    """

    place: str
    chord: Chord
    nats: float
    notes: tuple[tuple[int, float], ...]

    @property
    def text(self) -> str:
        """Columns parted by tabs: place, what sounded, nats, what is expected."""
        chord = " ".join(map(str, sorted(sounding(self.chord)))) or "-"
        notes = " ".join(f"{pitch} {share:.2f}" for pitch, share in self.notes) or "-"
        return f"{self.place}\t{chord}\t{self.nats:.2f}\t{notes}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "notes": sorted(sounding(self.chord)),
            "nats": round(self.nats, 4),
            "next": [{"note": pitch, "probability": round(share, 4)} for pitch, share in self.notes],
        }
