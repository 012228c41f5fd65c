"""A short training without files, by Adam: does a net learn this within so many steps?"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from peephole.data.problems.problem import Examples
from peephole.train.budget import Budget

BATCHES = 10  # over which it is judged whether a net has learnt: some hundreds of answers


@dataclass(frozen=True)
class Learnt:
    """How a short training ended.

    `steps` batches were drawn; `right` is the share of right answers and `divergence` the mean divergence an answer, in
    the last ten of them. `divergence` is infinite where numbers overflowed, which counts as not solved.
    """

    solved: bool
    steps: int
    right: float
    divergence: float


def train_briefly(model: nn.Module, draw: Callable[[int], Examples], budget: Budget) -> Learnt:
    """Train `model` in place on `draw(step)`, step from 0, until it solves what is drawn or the budget is spent.

    Every batch is answered before it is learnt from: where `draw` makes new examples, the share of right answers is one
    on examples never seen. The same model and the same draws give the same numbers. Adam: Kingma & Ba 2015; gradients
    are clipped by their norm (Pascanu et al. 2013).
    """
    optimizer = torch.optim.Adam(model.parameters(), budget.learning_rate, fused=True)
    recent: deque[tuple[float, float, int]] = deque(maxlen=BATCHES)
    right, divergence = 0.0, math.inf
    model.train()
    for step in range(1, budget.steps + 1):
        examples = draw(step - 1)
        outputs = _outputs(model, examples)
        total = examples.divergence(outputs)
        recent.append((float(examples.right(outputs.detach()).sum()), float(total.detach()), examples.answers))
        answers = sum(row[2] for row in recent)
        right, divergence = sum(row[0] for row in recent) / answers, sum(row[1] for row in recent) / answers
        if not math.isfinite(divergence):
            return Learnt(False, step, right, math.inf)
        if len(recent) == BATCHES and right >= budget.solved_at:
            return Learnt(True, step, right, divergence)
        optimizer.zero_grad()
        (total / examples.answers).backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), budget.clip_norm)
        if not bool(torch.isfinite(norm)):
            return Learnt(False, step, right, math.inf)
        optimizer.step()
    return Learnt(False, budget.steps, right, divergence)


def _outputs(model: nn.Module, examples: Examples) -> Tensor:
    """What the model answers, of what it returns: outputs, or outputs and states."""
    given = model(examples.inputs)
    return given[0] if isinstance(given, tuple) else given
