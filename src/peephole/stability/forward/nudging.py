"""A state really nudged, and what is left of it while the same inputs go on, beside what the linear map says."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.stability.recordings.passage import Passage, travel
from peephole.stability.steps import linearise


@dataclass(frozen=True, eq=False)
class Nudge:
    """How much of a nudge of h is left after 0, 1, 2, … steps, as a share of it, Euclidean.

    `size` is ‖δ‖ / ‖h‖ when it was made (‖δ‖ where h is 0). `actual` of the difference between two runs, `linear` of
    the tangent; NaN in rows that had not begun.
    """

    size: float
    actual: Float[Tensor, "steps batch"]
    linear: Float[Tensor, "steps batch"]


@torch.no_grad()
def nudge(passage: Passage, begun: int, size: float, reaches: Tensor, seed: int) -> Nudge:
    """Nudge h as step number `begun` finds it, in a random direction; rows end together, `reaches` bool `[B]`."""
    before = tuple(state[begun] for state in passage.before)  # [B, ·]
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(before[0].shape, generator=generator, dtype=torch.float64).to(before[0])
    norm = torch.linalg.vector_norm(before[0], dim=-1, keepdim=True)
    norm = norm.masked_fill(norm == 0, 1.0)
    delta = size * norm * direction / torch.linalg.vector_norm(direction, dim=-1, keepdim=True)
    actual = _difference(passage, begun, before, delta)
    linear, tangents, course = linearise(passage), (delta, *map(torch.zeros_like, before[1:])), [delta]
    for t in range(begun, passage.steps):
        tangents = linear.push(t, tangents)
        course.append(tangents[0])
    given = torch.linalg.vector_norm(delta, dim=-1)
    left = [
        (torch.linalg.vector_norm(part, dim=-1) / given).double().masked_fill(~reaches, torch.nan).cpu()
        for part in (actual, torch.stack(course))
    ]
    return Nudge(size, *left)


def _difference(passage: Passage, begun: int, before: tuple[Tensor, ...], delta: Tensor) -> Tensor:
    """h of the nudged run less h of one that was not, `[steps, B, ·]`: both in one batch, so that they round alike."""

    def twice(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else torch.cat([tensor[begun:]] * 2, dim=1)

    states = [torch.cat([state, state]) for state in before]
    states[0][len(delta) :] += delta
    fresh: list[Tensor] = []
    if passage.cut is not None and bool(passage.cut.any()):  # all borders begin with the same states
        t, row = passage.cut[..., 0].nonzero()[0].tolist()
        fresh = [state[t, row] for state in passage.before]
    x, alive, cut = twice(passage.x), twice(passage.alive), twice(passage.cut)
    assert x is not None
    again = travel(passage.spec, passage.layer, False, passage.weights, x, states, fresh, alive, cut, passage.zoneout)
    plain, nudged = again.after[0].chunk(2, dim=1)
    return torch.cat([delta[None], nudged - plain])
