"""What a short training may cost. Imports nothing heavy: the command line reads it for its help."""

import math
from dataclasses import dataclass

from peephole.errors import InputError


@dataclass(frozen=True)
class Budget:
    """How long a net may learn, and what counts as learnt."""

    # Updates that a training may take, of one batch each; it ends sooner where the answers are right.
    steps: int = 300

    # Sequences in a batch.
    batch_size: int = 32

    # Step size of Adam.
    learning_rate: float = 2e-3

    # Longest gradient; a longer one is scaled down.
    clip_norm: float = 1.0

    # Share of right answers that counts as solved, over ten batches each answered before it is learnt from.
    solved_at: float = 0.99

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected at least 1")
        for name in ("learning_rate", "clip_norm"):
            if not 0 < getattr(self, name) < math.inf:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected more than 0, and finite")
        if not 0 < self.solved_at <= 1:
            raise InputError(f"--solved-at is {self.solved_at}; expected a share, more than 0 and at most 1")
