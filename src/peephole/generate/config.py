"""How to draw. Imports nothing heavy: the command line reads it for its help."""

from dataclasses import dataclass

from peephole.errors import InputError


@dataclass(frozen=True)
class Sampling:
    """How to draw a symbol from a distribution."""

    # Sharpness: below 1 keeps to the likely, above 1 dares more, 0 always takes the likeliest.
    temperature: float = 1.0

    # Draw among the k likeliest only.
    top_k: int | None = None

    # Draw among the likeliest whose probabilities together reach p (nucleus sampling, Holtzman et al. 2020).
    top_p: float | None = None

    # The same seed writes the same text.
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"--temperature is {self.temperature}; expected 0 or more")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed is {self.seed}; expected 0 to {2**32 - 1}")
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"--top-k is {self.top_k}; expected at least 1")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(f"--top-p is {self.top_p}; expected more than 0, at most 1")
