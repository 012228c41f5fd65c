"""A recurrent stack one row and one step at a time, from cells without noise: what layers with noise must equal."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call

from peephole.nn.cells import Cell
from peephole.nn.recurrent import Recurrent
from peephole.reference.noise import RECURRENT, WEIGHT, ZONEOUT, chosen, dropout_mask


def step_by_step(
    layer: Recurrent,
    x: Tensor,
    hx: Sequence[Tensor],
    lengths: Sequence[int] | None = None,
    resets: Tensor | None = None,
    seed: int | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Output `[T, B, ·]` and final states `[L·D, B, ·]`; with a `seed` as while training, without as at evaluation.

    Recurrent dropout of a row is written as weights without the columns that the row lacks.
    """
    spec, noise = layer.spec, layer.noise
    steps, batch, directions = x.shape[0], x.shape[1], layer.num_directions
    ends = [steps] * batch if lengths is None else list(lengths)
    key = None if seed is None else torch.tensor(seed)
    finals: list[list[Tensor]] = []
    for number in range(layer.num_layers):
        sides: list[Tensor] = []
        for direction in range(directions):
            index, suffix = number * directions + direction, f"_l{number}" + "_reverse" * direction
            cell = Cell(
                spec,
                x.shape[-1],
                layer.hidden_size,
                dtype=x.dtype,
                proj_size=layer.proj_size,
                backend="reference",
            )
            weights: dict[str, Tensor] = {name: getattr(layer, name + suffix) for name in spec.parameter_names()}
            before = [state[index] for state in hx]
            fresh = [
                getattr(layer, f"state_{name}{suffix}")[None] if layer.learned_states else torch.zeros_like(state[:1])
                for name, state in zip(spec.states, before, strict=True)
            ]
            if key is not None and noise.weight_drop:
                rows, columns = weights["weight_hh"].shape
                mask = dropout_mask(noise.weight_drop, key, WEIGHT, index, rows, columns, x.dtype)
                weights["weight_hh"] = weights["weight_hh"] * mask
            kept = [_kept(layer, place, state, steps, index, key) for place, state in enumerate(before)]
            outputs = [[torch.zeros_like(before[0][0]) for _ in range(batch)] for _ in range(steps)]
            last: list[list[Tensor]] = []
            for row, end in enumerate(ends):
                own = dict(weights)
                if key is not None and noise.recurrent_dropout:
                    units = before[0].shape[-1]
                    mask = dropout_mask(noise.recurrent_dropout, key, RECURRENT, index, batch, units, x.dtype)
                    own["weight_hh"] = own["weight_hh"] * mask[row].repeat(spec.taps)
                states = [state[row : row + 1] for state in before]
                for t in reversed(range(end)) if direction else range(end):
                    border = t + direction
                    if resets is not None and border < end and bool(resets[border, row]):
                        states = fresh
                    given = states[0] if len(states) == 1 else tuple(states)
                    new = functional_call(cell, own, (x[t, row : row + 1], given))
                    new = (new,) if isinstance(new, Tensor) else new
                    states = [
                        share[t, row] * old + (1 - share[t, row]) * each
                        for share, old, each in zip(kept, states, new, strict=True)
                    ]
                    outputs[t][row] = states[0][0]
                last.append([state[0] for state in states])
            sides.append(torch.stack([torch.stack(rows) for rows in outputs]))
            finals.append([torch.stack(state) for state in zip(*last, strict=True)])
        x = torch.cat(sides, dim=-1)
    return x, [torch.stack(state) for state in zip(*finals, strict=True)]


def _kept(layer: Recurrent, place: int, state: Tensor, steps: int, index: int, key: Tensor | None) -> Tensor:
    """How much of a state each step keeps, `[T, B, ·]`."""
    share = {"h": layer.noise.zoneout, "c": layer.noise.zoneout_cell}.get(layer.spec.states[place], 0.0)
    if key is None:
        return torch.full((steps, *state.shape), share, dtype=state.dtype)
    batch, units = state.shape
    return chosen(share, key, ZONEOUT + place, index, steps, batch, units, state.dtype)
