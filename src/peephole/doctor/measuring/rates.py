"""What a few updates would do at each of many learning rates: a range test (Smith 2017, section 3.3)."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.doctor.measuring.course import course
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating
from peephole.train.config import OPTIMIZERS, LoopConfig
from peephole.train.optimisation import make_optimizer

MULTIPLES = (1e-2, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)  # of the training's own learning rate
COARSE = (1e-2, 0.1, 0.3, 1.0, 10.0, 100.0, 1000.0)  # of a net of LARGE parameters, which takes its time
LARGE = 300_000
UPDATES, FEW_UPDATES = 8, 4  # at each, and of a large net
BATCHES = 4
WORK = 2e8  # parameters times tokens of a batch that a short test can afford, in so far as that leaves
LEAST_TOKENS, MOST_TOKENS = 256, 2048
MOST_STEPS, ROWS = 128, 8  # of sequences with an answer at every step, and how many of them are wanted
RISEN = 1.1  # times what it was: a divergence that a step size does harm to


@dataclass(frozen=True)
class Rates:
    """The mean divergence of the batches after a few updates at each learning rate; infinite where it blew up.

    `before` is the divergence before any update, `rate` the training's own; `from_start` says whether the updates begin
    with weights as they were before training.
    """

    rate: float
    rates: tuple[float, ...]
    divergences: tuple[float, ...]
    before: float
    from_start: bool

    @property
    def best(self) -> float:
        """The learning rate with the lowest divergence; NaN where none gains a hundredth."""
        lowest = min(self.divergences)
        return self.rates[self.divergences.index(lowest)] if lowest < 0.99 * self.before else math.nan

    @property
    def edge(self) -> float:
        """The largest learning rate up to which no divergence is a tenth above what it was."""
        held = self.rates[0]
        for rate, value in zip(self.rates, self.divergences, strict=True):
            if not value <= RISEN * self.before:
                break
            held = rate
        return held

    @property
    def own(self) -> float:
        """The divergence after updates at the training's own learning rate."""
        return self.divergences[self.rates.index(self.rate)]


def rates(examination: Examination) -> Rates | None:
    """Measured on copies of the net, without dropout; None where there is nothing to measure with."""
    case = examination.case
    rate = case.settings.get("learning_rate")
    model = case.model if case.start is None else case.start
    if model is None or not case.training or not isinstance(rate, int | float) or not rate > 0:
        return None
    tokens = WORK / max(1, sum(value.numel() for value in model.parameters()))
    batches = [_cut(batch, int(min(MOST_TOKENS, max(LEAST_TOKENS, tokens)))) for batch in case.training[-BATCHES:]]
    try:
        return _measured(examination, model, batches, float(rate))
    except (InputError, RuntimeError, ValueError):  # a module that cannot be copied, or does not take shorter batches
        return None


def _measured(examination: Examination, model: nn.Module, batches: Sequence[Batch], rate: float) -> Rates | None:
    case = examination.case
    clip = _limit(case, examination)
    found: dict[float, float] = {}
    with torch.random.fork_rng(devices=[]):
        before = _divergence(case, model, batches)
        if not math.isfinite(before):
            return None
        for multiple in COARSE if _large(model) else MULTIPLES:
            found[rate * multiple] = _trained(case, model, batches, rate * multiple, clip)
    return Rates(rate, tuple(found), tuple(found.values()), before, case.start is not None)


def _large(model: nn.Module) -> bool:
    return sum(value.numel() for value in model.parameters()) > LARGE


def _cut(batch: Batch, tokens: int) -> Batch:
    """As many rows and steps of a batch as there are tokens for; sequences with one answer keep all their steps."""
    steps = min(MOST_STEPS, max(1, tokens // ROWS))
    if batch.steps <= steps or len(batch.targets) != batch.steps or not bool(batch.counts[:steps].all()):
        steps = batch.steps
    part = batch.first_rows(max(2, tokens // steps))
    return replace(
        part,
        inputs=part.inputs[:steps],
        targets=part.targets if len(part.targets) != batch.steps else part.targets[:steps],
        weights=None if part.weights is None else part.weights[:steps],
        resets=None if part.resets is None else part.resets[:steps],
    )


def _limit(case: Case, examination: Examination) -> float | None:
    """The longest gradient: the training's, but one that shortens every step is taken for wrong by another rule."""
    clip = case.settings.get("clip_norm")
    if not isinstance(clip, int | float):
        return None
    norms = examination.measured(course).norms
    usual = float(torch.tensor(norms).nanmedian()) if len(norms) else math.nan
    return max(float(clip), 3 * usual) if math.isfinite(usual) else float(clip)


@torch.no_grad()
def _divergence(case: Case, model: nn.Module, batches: Sequence[Batch]) -> float:
    with evaluating(model):
        values = [float(case.divergence(case.run(batch, model=model)[0], batch)) for batch in batches]
    return sum(values) / len(values)


def _trained(case: Case, model: nn.Module, batches: Sequence[Batch], rate: float, clip: float | None) -> float:
    """The divergence of a copy after some updates."""
    net = copy.deepcopy(model)
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    net.eval()  # a test of rates, not of luck with the noise
    optimizer = _optimizer(net, case.settings, rate)
    with torch.enable_grad():
        for number in range(FEW_UPDATES if _large(model) else UPDATES):
            batch = batches[number % len(batches)]
            optimizer.zero_grad(set_to_none=True)
            value: Tensor = case.divergence(case.run(batch, model=net)[0], batch)
            if not bool(torch.isfinite(value)):
                return math.inf
            value.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(net.parameters(), clip)
            optimizer.step()
    value_after = _divergence(case, net, batches)
    return value_after if math.isfinite(value_after) else math.inf


def _optimizer(net: nn.Module, settings: Mapping[str, Any], rate: float) -> torch.optim.Optimizer:
    """The training's own kind; adamw where that is not known."""
    kind = str(settings.get("optimizer", "adamw")).lower()
    config = LoopConfig(
        optimizer=kind if kind in OPTIMIZERS else "adamw",  # pyright: ignore[reportArgumentType]
        learning_rate=rate,
        weight_decay=0.0,
        momentum=float(settings.get("momentum") or 0.0),
        beta2=float(settings.get("beta2") or 0.99),
    )
    return make_optimizer(net.parameters(), config)
