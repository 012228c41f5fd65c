"""A passage as its rows lived it: forward, each row ending at the last step, whatever its direction and length."""

from dataclasses import replace

import torch
from torch import Tensor

from peephole.stability.recordings.passage import Passage


def ending_together(passage: Passage) -> Passage:
    """The same steps in the order in which they were taken; steps that a row did not take stand before its first."""
    steps, batch = passage.steps, passage.batch
    device = passage.x.device
    position = torch.arange(steps, device=device)[:, None].expand(-1, batch)  # [T, B]
    lengths = torch.full((batch,), steps, device=device)
    if passage.alive is not None:
        lengths = passage.alive[..., 0].sum(0)
    times = steps - 1 - position if passage.reverse else position - (steps - lengths)
    times = times[steps - int(lengths.max()) :].clamp_min(0)
    rows = torch.arange(batch, device=device)

    def arranged(tensor: Tensor) -> Tensor:
        return tensor[times, rows]

    taken = position[steps - len(times) :] >= steps - lengths
    return replace(
        passage,
        reverse=False,
        x=arranged(passage.x),
        before=tuple(map(arranged, passage.before)),
        after=tuple(map(arranged, passage.after)),
        alive=None if bool(taken.all()) else taken[..., None],
        cut=None if passage.cut is None else arranged(passage.cut),
    )


def steps_taken(passage: Passage) -> Tensor:
    """How many steps each row took, int64 `[B]`."""
    if passage.alive is None:
        return torch.full((passage.batch,), passage.steps, device=passage.x.device)
    return passage.alive[..., 0].sum(0)


def some_rows(passage: Passage, rows: slice) -> Passage:
    """Those rows alone."""
    return replace(
        passage,
        x=passage.x[:, rows],
        before=tuple(state[:, rows] for state in passage.before),
        after=tuple(state[:, rows] for state in passage.after),
        alive=None if passage.alive is None else passage.alive[:, rows],
        cut=None if passage.cut is None else passage.cut[:, rows],
    )
