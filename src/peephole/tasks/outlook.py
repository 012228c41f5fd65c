"""Before training: does the gradient of the answer reach back to what has to be remembered?"""

from dataclasses import dataclass

import numpy as np
from torch import nn

from peephole.data.problems.problem import Problem
from peephole.stability.backward.flow import gradient_flow
from peephole.stability.backward.horizon import Horizon

SEQUENCES = 16


@dataclass(frozen=True)
class Outlook:
    """The horizon of a net before it is trained, and the `lag` of what it shall learn, both in steps."""

    horizon: Horizon
    lag: int

    @property
    def reaches(self) -> bool:
        """Whether the horizon is no shorter than the lag."""
        return self.horizon.lag is None or self.horizon.lag >= self.lag

    @property
    def verdict(self) -> str:
        """The two numbers, and what to do where the first is the smaller."""
        reach = f"more than {self.horizon.longest}" if self.horizon.lag is None else str(self.horizon.lag)
        said = f"horizon {reach} steps, lag {self.lag}"
        if self.reaches:
            return said
        return (
            f"{said}: less than {self.horizon.fraction:.0%} of the answer's gradient reaches what it must remember, so "
            "it may not learn; an lstm or gru with --init chrono, a relu rnn with --init identity, or --curriculum "
            "mastery reach further"
        )


def horizon_before(model: nn.Module, problem: Problem, size: int, seed: int) -> Horizon:
    """The horizon of `model` on examples of `size`, from the last answer back; of the state that reaches furthest."""
    examples = problem.draw(np.random.default_rng([seed, size]), SEQUENCES, size)
    last = int(examples.weights.any(1).nonzero()[-1])
    flow = gradient_flow(model, examples.inputs, examples.divergence, targets=[last])
    found = [flow.horizon(-1, state) for state in flow.layers[-1].states]
    return max(found, key=lambda horizon: horizon.longest + 1 if horizon.lag is None else horizon.lag)


def outlook(model: nn.Module, problem: Problem, seed: int) -> Outlook:
    """The horizon of a net on the largest examples that it shall be trained on, beside their lag."""
    return Outlook(horizon_before(model, problem, problem.size, seed), problem.span)
