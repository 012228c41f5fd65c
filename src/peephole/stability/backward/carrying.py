"""Gradients of several targets on their way back through an LSTM, and what the forget gates alone make of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from peephole.stability.backward.lags import finals_entering, linearised_layers
from peephole.stability.backward.seeds import Seeds
from peephole.stability.recordings.recording import Recording
from peephole.stability.steps import Linearised
from peephole.stability.steps.linearised import States
from peephole.stability.steps.lstm import LSTMSteps

NUMBERS_TOGETHER = 1 << 26  # that the targets taken at once may keep for the layer below


@dataclass(frozen=True)
class Sums:
    """Over targets and rows of one layer and direction, `[T]` by lag, in float64: small squares leave float32's range.

    `total`, `carousel` and `rest`: of ‖∇c‖², of the carousel's part and of what remains; `inner`: of ⟨carousel, ∇c⟩;
    `begun`: of the ‖∇c‖² at lag 0 of those that got this far; `retained`: of the product of forget gates, its mean
    over units; `counted`: how many targets and rows got this far.
    """

    total: Tensor
    carousel: Tensor
    rest: Tensor
    inner: Tensor
    begun: Tensor
    retained: Tensor
    counted: Tensor


@torch.no_grad()
def carry(recording: Recording, seeds: Seeds, targets: Sequence[int]) -> list[Sums]:
    """Pull the gradient of each target back through all layers and directions."""
    layers = linearised_layers(recording)
    like = recording.leaf.new_zeros(recording.steps, dtype=torch.float64)
    sums = [Sums(*(torch.zeros_like(like) for _ in range(7))) for _ in recording.passages]
    together = max(1, NUMBERS_TOGETHER // seeds.output.numel()) if len(layers) > 1 else len(targets)
    for start in range(0, len(targets), together):
        chosen = torch.tensor(targets[start : start + together], device=like.device)[:, None, None]
        given: Tensor | None = None  # what the layer above hands down, [T, N, B, D·H]
        for number in range(len(layers) - 1, -1, -1):
            handed: Tensor | None = None
            directions = len(layers[number])
            for direction, one in enumerate(layers[number]):
                index = number * directions + direction
                finals = finals_entering(one.passage, index, seeds)
                own = (seeds.output if given is None else given).chunk(directions, dim=-1)[direction]
                from_above = given is not None
                below = _ride(one, chosen, own, from_above, finals, sums[index], wants_input=number > 0)
                if below is not None:
                    handed = below if handed is None else handed.add_(below)
            given = handed
    return sums


def kept_by(one: Linearised) -> Tensor:
    """What a step keeps of c by the carousel alone, `[T, B, H]`: f, or κ + (1 − κ) f with zoneout."""
    assert isinstance(one, LSTMSteps)
    zoneout = _zoneout(one)
    return zoneout + (1 - zoneout) * one.kept


def _zoneout(one: Linearised) -> float:
    return one.passage.zoneout[1] if one.passage.zoneout else 0.0


def _ride(
    one: Linearised, targets: Tensor, given: Tensor, from_above: bool, finals: States, sums: Sums, wants_input: bool
) -> Tensor | None:
    """All steps of one layer and direction, for targets `[N, 1, 1]`.

    `given` is the seeds `[T, B, ·]`, or, `from_above`, what each target sends, `[T, N, B, ·]`. Returns ∂Div/∂x
    `[T, N, B, I]` where the layer below wants it.
    """
    assert isinstance(one, LSTMSteps)
    passage, zoneout, kept = one.passage, _zoneout(one), kept_by(one)
    shape, last = (len(targets), passage.batch), passage.steps - 1
    carried = tuple(given.new_zeros(*shape, size) for size in passage.sizes)
    handed = given.new_zeros(passage.steps, *shape, passage.x.shape[-1]) if wants_input else None
    alone = torch.zeros_like(carried[1])  # the carousel's part of ∂Div/∂c
    product = torch.ones_like(alone)
    riding = torch.zeros(shape, dtype=torch.bool, device=given.device)
    ended, age = torch.zeros_like(riding), torch.zeros_like(riding, dtype=torch.long)
    begun = torch.zeros_like(riding, dtype=torch.float64)
    for t in reversed(passage.order):
        gradients = tuple(old + (targets == last) * final[t] for old, final in zip(carried, finals, strict=True))
        arrived = given[t] if from_above else (targets == t) * given[t]
        gradients = (gradients[0] + arrived, *gradients[1:])
        pulled = one.pull(t, gradients)
        if handed is not None:
            handed[t] = one.input_gradient(pulled)
        whole = pulled.total[1]
        begins = whole.any(-1) & ~riding
        alone = torch.where(begins[..., None], gradients[1], alone)
        part = torch.where(begins[..., None], whole, (1 - zoneout) * alone)
        begun = torch.where(begins, _square(whole), begun)
        riding = riding | begins
        alive = riding if passage.alive is None else riding & passage.alive[t, :, 0]
        there = alive & ~ended
        columns = {
            "total": _square(whole),
            "carousel": _square(part),
            "rest": _square(whole - part),
            "inner": (part.double() * whole.double()).sum(-1),
            "begun": begun,
            "retained": product.double().mean(-1),
            "counted": torch.ones_like(begun),
        }
        for name, column in columns.items():
            getattr(sums, name).index_add_(0, age[there], column[there])
        age = age + there
        alone = torch.where(alive[..., None], zoneout * alone + one.kept[t] * part, alone)
        product = torch.where(alive[..., None], product * kept[t], product)
        if passage.cut is not None:
            ended = ended | (riding & passage.cut[t, :, 0])  # nothing goes on from here
        carried = pulled.before
    return handed


def _square(v: Tensor) -> Tensor:
    return v.double().square().sum(-1)
