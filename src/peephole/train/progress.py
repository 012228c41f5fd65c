"""What counts from step to step, besides weights and optimiser."""

import math
from collections import deque
from dataclasses import dataclass, field

import torch

from peephole.train.contract import States

NORMS_KEPT = 50  # steps of gradient norms remembered, to tell which grew first
UNUSUAL = 10.0  # times its usual length, from which on a gradient has grown


@dataclass
class Progress:
    """Everything that counts from step to step, besides weights and optimiser: what a checkpoint keeps."""

    step: int = 0
    total: int | None = None  # None until the first steps have shown what a budget in minutes allows
    minutes: float | None = None  # the budget that `total` was made of
    counted: int = 0  # characters seen
    seconds: float = 0.0
    best: float = math.inf  # what decides, of the best measurement
    best_held_out: float = math.inf  # its divergence, which decides where errors are as many
    best_step: int = 0
    since_best: int = 0
    plateau_share: float = 1.0
    measured: list[float] = field(default_factory=list)  # what decides, of each measurement until the average began
    threads: int = field(default_factory=torch.get_num_threads)
    states: States | None = None
    clipped: int = 0  # steps whose gradient was shortened, of the `unwatched` since the last look inside
    unwatched: int = 0
    norms: deque[list[float]] = field(default_factory=lambda: deque(maxlen=NORMS_KEPT))

    def first_to_grow(self) -> tuple[int, int] | None:
        """Which parameter's gradient first grew beyond its usual length, and how many steps ago; None if none did."""
        history = torch.tensor(list(self.norms))  # [steps, parameters]
        if len(history) <= 2:
            return None
        usual = history[:-1].median(dim=0).values.clamp_min(1e-12)
        grown = history / usual
        steps, which = torch.nonzero(~(grown < UNUSUAL), as_tuple=True)
        if not len(steps):
            return None
        first = int(steps.min())
        candidates = which[steps == first]
        scores = torch.nan_to_num(grown[first, candidates], nan=math.inf)
        return int(candidates[scores.argmax()]), len(history) - 1 - first
