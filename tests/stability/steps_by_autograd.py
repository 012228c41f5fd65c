"""The Jacobian of a step as torch's autograd finds it from the equations."""

import torch
from torch import Tensor

from peephole.reference.sequence import STEPS
from peephole.stability.recordings.passage import Passage


def jacobian_by_autograd(passage: Passage, t: int, row: int) -> Tensor:
    """∂s(t)/∂s(before) `[S, S]` of one row, all states side by side; without masks."""

    def step(flat: Tensor) -> Tensor:
        states = tuple(part[None] for part in flat.split(passage.sizes))
        weights = dict(passage.weights)
        return torch.cat(
            STEPS[passage.spec.family](passage.spec, passage.x[t, row : row + 1], states, weights, None), -1
        )[0]

    begun = torch.cat([state[t, row] for state in passage.before])
    found = torch.autograd.functional.jacobian(step, begun)
    assert isinstance(found, Tensor)
    return found
