"""How large the training's updates were beside the weights, and how far the weights have come."""

import math
from dataclasses import dataclass
from statistics import median

import torch

from peephole.doctor.examination import Examination
from peephole.train.watch.row import WatchRow

LEAST_SHARE = 0.02  # of the largest learning rate: below, rounding and the schedule make an update, not the training


@dataclass(frozen=True)
class Updates:
    """Medians over weight matrices; biases, which begin at zero, stay out.

    Attributes:
        steps: after which somebody looked, without the first step, whose update tells of the warm-up.
        ratios: ‖Δw‖ / ‖w‖ of one update at each of them, as it would be at the largest learning rate.
        moved: ‖w − w₀‖ / ‖w₀‖ over the whole training; NaN where the start is not known.
        grown: ‖w‖ / ‖w₀‖; NaN where the start is not known.
    """

    steps: tuple[int, ...]
    ratios: tuple[float, ...]
    moved: float
    grown: float

    @property
    def usual(self) -> float:
        """The median ratio over the looks; NaN without any."""
        return median(self.ratios) if self.ratios else math.nan


def updates(examination: Examination) -> Updates:
    """From the looks of the history, and from the weights where those at the start are known."""
    case = examination.case
    looks = [look for row in case.history if (look := WatchRow.read(row)) is not None]
    rates = [float(row.get("learning_rate") or 0.0) for row in case.history]
    peak = max(rates, default=0.0)
    steps: list[int] = []
    ratios: list[float] = []
    for look in looks:
        known = [value for name, value in look.update_ratio.items() if "bias" not in name and math.isfinite(value)]
        share = look.learning_rate / peak if peak else 0.0
        if known and share >= LEAST_SHARE and (look.step > 1 or len(looks) == 1):
            steps.append(look.step)
            ratios.append(median(known) / share)
    moved, grown = _travelled(examination)
    return Updates(tuple(steps), tuple(ratios), moved, grown)


@torch.no_grad()
def _travelled(examination: Examination) -> tuple[float, float]:
    case = examination.case
    if case.model is None or case.start is None:
        return math.nan, math.nan
    before = dict(case.start.named_parameters())
    moved: list[float] = []
    grown: list[float] = []
    for name, now in case.model.named_parameters():
        old = before.get(name)
        if old is None or old.shape != now.shape or now.dim() < 2 or not bool(old.any()):
            continue
        size = float(old.double().norm())
        moved.append(float((now.double() - old.double()).norm()) / size)
        grown.append(float(now.double().norm()) / size)
    return (median(moved), median(grown)) if moved else (math.nan, math.nan)
