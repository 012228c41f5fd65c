"""Whether weights are kept in half the bits, and which share of an update their rounding loses."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from peephole.doctor.examination import Examination
from peephole.doctor.measuring.course import course
from peephole.doctor.measuring.gradients import gradients

MULTIPLES = (0.01, 0.1, 1.0, 10.0, 100.0)  # of the learning rate, for the curve


@dataclass(frozen=True)
class Rounding:
    """The precision of the weights, and what it does to updates.

    Attributes:
        kept: the dtype that all weights fit into: "bfloat16", "float16", or "float32" where they need their bits.
        stored: the dtype in which they are.
        rate: the median learning rate; NaN where none is known.
        lost: the share of weights that an update at that rate, along the gradient of the training batches, leaves as
            they are after rounding; NaN where there is no gradient or learning rate.
        curve: that share at `MULTIPLES` of the rate.
    """

    kept: str
    stored: str
    rate: float = math.nan
    lost: float = math.nan
    curve: tuple[float, ...] = ()


def rounding(examination: Examination) -> Rounding:
    """Of weight matrices; the updates are those of Adam, or of plain descent where the training's optimiser is sgd."""
    case = examination.case
    if case.model is None:
        return Rounding("float32", "float32")
    stored, kept = _precision(case.model)
    if kept == "float32":
        return Rounding(kept, stored)
    rates = examination.measured(course).rates
    known = rates[(rates > 0)]
    setting = case.settings.get("learning_rate")
    rate = float(torch.tensor(known).median()) if len(known) else float(setting or math.nan)
    found = examination.measured(gradients)
    if not math.isfinite(rate) or not found:
        return Rounding(kept, stored, rate)
    plain = str(case.settings.get("optimizer", "adamw")).lower() in ("sgd", "asgd")
    low = torch.bfloat16 if kept == "bfloat16" else torch.float16
    curve = tuple(_lost(case.model, found, rate * multiple, plain, low) for multiple in MULTIPLES)
    return Rounding(kept, stored, rate, curve[MULTIPLES.index(1.0)], curve)


@torch.no_grad()
def _precision(model: nn.Module) -> tuple[str, str]:
    """The dtype of the weight matrices, and the smallest that holds each of them exactly."""
    weights = [value.detach() for value in model.parameters() if value.dim() >= 2 and value.is_floating_point()]
    if not weights:
        return "float32", "float32"
    stored = str(weights[0].dtype).removeprefix("torch.")
    for low in (torch.bfloat16, torch.float16):
        if all(value.dtype == low for value in weights):
            return stored, stored
        fits, told = True, 0
        for value in weights:
            known = value[(value != 0) & (value.abs() != 1) & torch.isfinite(value)].float()
            told += len(known)
            fits = fits and bool((known == known.to(low).float()).all())
        if fits and told >= 16:  # matrices of zeros and ones, such as the identity, say nothing
            return stored, str(low).removeprefix("torch.")
    return stored, "float32"


@torch.no_grad()
def _lost(model: nn.Module, found: dict[str, tuple[Tensor, ...]], rate: float, plain: bool, low: torch.dtype) -> float:
    lost, of = 0, 0
    for name, value in model.named_parameters():
        if name not in found or value.dim() < 2:
            continue
        each = torch.stack(found[name])
        direction = each.mean(0) if plain else each.mean(0) / each.square().mean(0).sqrt().clamp_min(1e-12)
        moved = direction != 0
        before = value.detach().float()
        after = (before - rate * direction).to(low).float()
        lost += int(((after == before) & moved).sum())
        of += int(moved.sum())
    return lost / of if of else math.nan
