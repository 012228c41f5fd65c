"""How to draw chords. Imports nothing heavy: the command line reads it for its help."""

from dataclasses import dataclass

from peephole.errors import InputError


@dataclass(frozen=True)
class ChordSampling:
    """How to draw what sounds at a step from what a net expects."""

    # Sharpness: below 1 keeps to the likely, above 1 dares more, 0 takes what is likelier than not.
    temperature: float = 1.0

    # Most notes a step; of more that were drawn the likeliest stay. None: as many as are drawn.
    most_notes: int | None = None

    # The same seed makes the same piece.
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"--temperature is {self.temperature}; expected 0 or more")
        if self.most_notes is not None and self.most_notes < 1:
            raise InputError(f"--most-notes is {self.most_notes}; expected at least 1")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed is {self.seed}; expected 0 to {2**32 - 1}")
