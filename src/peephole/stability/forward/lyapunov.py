"""Lyapunov exponents of a net along the trajectories that its input drives, by the QR method."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.stability.forward.exponents import LayerExponents, LyapunovSpectrum
from peephole.stability.recordings.layers import choose_passages
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import record
from peephole.stability.steps import Linearised, linearise

MOST_BETWEEN = 10  # steps between two decompositions where precision allows: past that, they cost less than the steps
NOISE = 8  # a diagonal of R under so many units of rounding is none


def lyapunov_spectrum(
    module: nn.Module,
    batch: Any,
    exponents: int | None = None,
    every: int | None = None,
    burn_in: int | None = None,
    layers: Sequence[int] | None = None,
    seed: int = 0,
) -> LyapunovSpectrum:
    """The Lyapunov exponents of each layer and direction of `module` on `batch`, in nats a step.

    λ_i is the mean rate at which the i-th of the directions, from the fastest growing to the fastest shrinking, grows
    along the trajectory: a set of orthogonal tangents is carried through the Jacobians of all steps, and every few
    steps a QR decomposition reads off how much each grew and makes them orthogonal again (Benettin, Galgani, Giorgilli
    & Strelcyn 1980; for trained nets Vogt, Puelma Touzel, Shlizerman & Lajoie 2022, Engelken, Wolf & Abbott 2023).
    A stack is a chain of layers, each driven by the one below: its Jacobian is block triangular, so that its exponents
    are those of its layers. Each row of the batch is a trajectory.

    `exponents`: how many, from the largest; else all S, the sum of the state sizes (2H of an LSTM). `every`: steps
    between decompositions; else at most 10, and fewer where the slowest and the fastest direction part so fast that
    rounding would hide the slower ones (10 steps in float32 resolve rates within about 1 nat a step of the largest).
    A direction that shrinks under rounding is given as −inf: exactly so where Jacobians are singular (relu, a closed
    forget gate), in effect so where `every` is too long. `burn_in`: steps of each row that turn the tangents into their
    directions and are not counted; a fifth of them by default. `layers`: their numbers, else all. `seed` draws the
    first tangents.

    Past a row's end nothing is measured. Where a row begins anew (`resets`), its tangents go on from the new state.

    `InputError` for a module without recurrent net, for one step, and for numbers out of range.
    """
    if every is not None and (isinstance(every, bool) or not isinstance(every, int) or every < 1):
        raise InputError(f"every is {every!r}; expected a number of steps of at least 1, or None")
    recording = record(module, batch)
    steps = recording.steps
    burn_in = steps // 5 if burn_in is None else burn_in
    if isinstance(burn_in, bool) or not isinstance(burn_in, int) or not 0 <= burn_in < steps:
        raise InputError(f"burn_in is {burn_in!r}; expected a whole number from 0 to {steps - 1}, less than the steps")
    passages = choose_passages(recording, layers)
    states = sum(passages[0].sizes)  # the same in every layer
    count = states if exponents is None else exponents
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= states:
        raise InputError(f"exponents is {count!r}; expected 1 to {states}, the size of a layer's state, or None")
    measured = tuple(_measure(passage, count, every, burn_in, seed) for passage in passages)
    return LyapunovSpectrum(measured, steps - burn_in, burn_in)


@torch.no_grad()
def _measure(passage: Passage, count: int, every: int | None, burn_in: int, seed: int) -> LayerExponents:
    """The exponents of one layer and direction, row by row."""
    # A border inside a row is no step of the dynamics: tangents cross it unchanged.
    linear = linearise(replace(passage, cut=None))
    order, alive = passage.order, _alive(passage)  # [T, B]
    lived = torch.zeros(passage.batch, dtype=torch.long)
    tangents = _first_tangents(passage, count, seed)
    growths: list[Tensor] = []  # [B, n] each
    lengths: list[Tensor] = []  # [B] each, the steps that count
    done, length = 0, every or MOST_BETWEEN
    while done < passage.steps:
        length = min(length, passage.steps - done)
        if done < burn_in:
            length = min(length, burn_in - done)
        times = order[done : done + length]
        growth, following, sharpest = _advance(linear, times, tangents)
        limit = torch.finfo(growth.dtype).eps ** (2 / 3)  # leaves the cube root of eps as error of a growth factor
        if every is None and length > 1 and not sharpest >= limit:  # or so long that a product overflowed
            length //= 2
            continue
        if math.isnan(sharpest):
            raise InputError(
                f"the derivatives of {passage.name} are not finite; its weights or the batch are too large, see which"
            )
        lived_before, now = lived, alive[list(times)].sum(0)
        lived = lived + now
        growths.append(growth.double().cpu())
        lengths.append(torch.where(lived_before >= burn_in, now, 0))
        done, tangents = done + length, following
        length = every or _next_length(length, sharpest, limit)
    return _summary(passage, torch.stack(growths), torch.stack(lengths), burn_in)


def _first_tangents(passage: Passage, count: int, seed: int) -> tuple[Tensor, ...]:
    """An orthonormal basis for every row, in the states' layout `[n, B, ·]`."""
    generator = torch.Generator().manual_seed(seed)
    states, like = sum(passage.sizes), passage.x
    basis = torch.linalg.qr(torch.randn(states, count, generator=generator, dtype=torch.float64)).Q
    return _split(passage, basis.to(like).expand(passage.batch, -1, -1))


def _split(passage: Passage, basis: Tensor) -> tuple[Tensor, ...]:
    """`[B, S, n]` as a tangent for each state, `[n, B, ·]`; laid out so that torch makes one product of all rows."""
    parts = basis.permute(2, 0, 1).split(passage.sizes, dim=-1)
    return tuple(part.clone(memory_format=torch.contiguous_format) for part in parts)


def _advance(
    linear: Linearised, times: Sequence[int], tangents: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...], float]:
    """The log of how much each tangent grew `[B, n]`, the new orthonormal ones, and the least share of a tangent that
    was new: what rounding has to be small against.
    """
    for t in times:
        tangents = linear.push(t, tangents)
    carried = torch.cat(tangents, dim=-1).permute(1, 2, 0)  # [B, S, n]
    basis, triangle = torch.linalg.qr(carried)
    diagonal = triangle.diagonal(dim1=-2, dim2=-1).abs()  # [B, n]
    norms = torch.linalg.vector_norm(carried, dim=-2)
    share = diagonal / norms.clamp_min(torch.finfo(norms.dtype).tiny)
    noise = NOISE * torch.finfo(norms.dtype).eps
    # Over one step rounding is relative to the Jacobian; over several, a tangent that shrank is carried on exactly.
    scale = norms.amax(-1, keepdim=True) if len(times) == 1 else norms
    growth = diagonal.masked_fill(diagonal <= noise * scale, 0.0).log()
    return growth, _split(linear.passage, basis), float(share.min())


def _next_length(length: int, sharpest: float, limit: float) -> int:
    """How many steps keep what is new of a tangent above the limit, if things go on as they did."""
    if sharpest >= 1:
        return MOST_BETWEEN
    shrinking = -torch.tensor([max(sharpest, 1e-300), limit], dtype=torch.float64).log()
    return max(1, min(MOST_BETWEEN, int(length * shrinking[1] / shrinking[0])))


def _alive(passage: Passage) -> Tensor:
    """int64 `[T, B]`."""
    if passage.alive is None:
        return torch.ones(passage.steps, passage.batch, dtype=torch.long)
    return passage.alive[..., 0].long().cpu()


def _summary(passage: Passage, growths: Tensor, lengths: Tensor, burn_in: int) -> LayerExponents:
    """Means over time and rows of growths `[K, B, n]` over `lengths` `[K, B]` steps."""
    counted = lengths > 0
    rows = counted.any(0)
    if not bool(rows.any()):
        raise InputError(
            f"no row of the batch has more than burn_in={burn_in} steps; take a shorter one, or longer rows"
        )
    from_first = counted.any(1)
    growths = torch.where(counted[..., None], growths, 0.0)[from_first][:, rows]
    sums, times = growths.cumsum(0), lengths[from_first][:, rows].cumsum(0)
    by_row = sums[-1] / times[-1][:, None]  # [B', n]
    exponents, order = by_row.mean(0).sort(descending=True, stable=True)
    by_row = by_row[:, order]
    begun = (times > 0)[..., None]
    running = torch.where(begun, sums[..., order] / times.clamp_min(1)[..., None], 0.0)
    history = running.sum(1) / begun.sum(1)
    errors = None
    if len(by_row) > 1:
        spread = torch.where(by_row.isfinite(), by_row - exponents, 0.0).nan_to_num(posinf=0.0)
        errors = (spread.square().sum(0) / (len(by_row) - 1) / len(by_row)).sqrt()
        uneven = exponents.isneginf() & by_row.isfinite().any(0)
        errors = errors.masked_fill(uneven, float("inf"))
    states, rounding = sum(passage.sizes), NOISE * torch.finfo(passage.x.dtype).eps
    return LayerExponents(passage.name, exponents, by_row, errors, times.amax(1), history, states, rounding)
