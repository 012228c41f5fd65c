"""Data in which nothing can be predicted: n-grams, simple models and the net itself get nothing of it."""

import math
from statistics import median

import torch

from peephole.doctor.examination import Examination
from peephole.doctor.finding import Cure, Evidence, Finding
from peephole.doctor.measuring.level import Level, level_of, trivial, trivial_by_step
from peephole.doctor.measuring.predictability import agreement, text
from peephole.doctor.measuring.simple import simple
from peephole.train.watch.row import WatchRow

GAIN, SOME_GAIN = 0.02, 0.05  # of the surprisal, by n-grams; English has about a half
LEARNT = 0.05  # a net that got further has found something
EXPLAINED = 0.03  # of the variance, by a linear model


def nothing_to_predict(examination: Examination) -> Finding | None:
    """Targets that neither simple models nor a net that was trained soundly get anything of."""
    how_much = level_of(examination)
    if _reached(examination, how_much) > LEARNT:
        return None
    return _no_text(examination) if examination.case.streams is not None else _no_answers(examination, how_much)


def _reached(examination: Examination, how_much: Level) -> float:
    """The share that was learnt of what an answer costs on the very same batches that sees no input, or the number of
    the step alone; on held-out ones if there are; NaN if not known. A few hundred values have a variance of their own,
    some percent off that of all that there are.
    """
    case = examination.case
    known = not math.isnan(how_much.held_out)
    batches = case.held_out if known else case.training
    constant, by_step = trivial(batches), trivial_by_step(batches)
    reached = how_much.held_out if known else how_much.training
    known_ones = [value for value in (constant, by_step, how_much.trivial) if not math.isnan(value)]
    blind = min(known_ones, default=math.nan)
    return 1 - reached / blind if blind > 0 else math.nan


def _no_text(examination: Examination) -> Finding | None:
    counted = examination.measured(text)
    if counted is None or counted.gain > SOME_GAIN:
        return None
    single, best = counted.surprisal[0], min(counted.surprisal[1:])
    return Finding(
        name="nothing to predict",
        cost=1.0,
        confidence=0.9 if counted.gain < GAIN else 0.7,
        says=f"Held-out symbols cost {single:.3f} nats when their frequencies alone are known, and {best:.3f} at best "
        f"when up to four symbols before them are: a gain of {100 * counted.gain:.1f} %.",
        numbers={"unigram": single, "best": best, "gain": counted.gain},
        why="A symbol that does not depend on those before it costs the entropy of its distribution, whoever predicts "
        "it (Shannon 1951); a net can only fit what is there by chance.",
        cure=Cure(
            "Look at the data as it reaches the net: is it shuffled, encrypted, or decoded wrongly?", repair="data"
        ),
        evidence=Evidence(
            "n-grams on held-out text",
            tuple(map(float, range(1, 1 + len(counted.surprisal)))),
            counted.surprisal,
            "order",
            "nats a symbol",
            limit=single,
            limit_name="frequencies alone",
        ),
    )


def _no_answers(examination: Examination, how_much: Level) -> Finding | None:
    """By exclusion, unless equal inputs with different targets say it directly."""
    linear, equal = examination.measured(simple), examination.measured(agreement)
    if linear is None or linear.explained > max(0.0, linear.chance) + EXPLAINED:
        return None
    if equal is not None and equal.gain > 0.25:
        return None
    at_baseline = how_much.training < (1 + 2 * LEARNT) * how_much.trivial
    if not at_baseline or not _sound(examination):
        return None
    numbers = {"explained": linear.explained, "by_chance": linear.chance, "divergence": how_much.training}
    told = ""
    if equal is not None:
        told = f", and targets after the same inputs agree no more than any others ({100 * equal.gain:.0f} %)"
        numbers |= {"agreement": equal.gain, "pairs": float(equal.pairs)}
    return Finding(
        name="nothing to predict",
        cost=0.9,
        confidence=0.55 if equal is None or equal.steps < 2 else 0.65,
        says=f"The net is where an answer is that looks at no input ({how_much.training:.4g} against "
        f"{how_much.trivial:.4g}) though its weights were trained, and a linear model explains "
        f"{100 * max(0.0, linear.explained):.1f} % of the targets{told}.",
        numbers=numbers | {"trivial": how_much.trivial},
        why="Where targets do not depend on the inputs nothing can be learnt but their mean and frequencies; shuffling "
        "the targets makes such a set of any other (Zhang et al. 2017).",
        cure=Cure(
            "Look at inputs and targets side by side as they reach the net: do they belong together, or was one of "
            "them shuffled, sorted or shifted without the other?",
            repair="data",
        ),
    )


def _sound(examination: Examination) -> bool:
    """Whether the training moved the weights as trainings do: only then does it tell something that it got nowhere."""
    rows = examination.case.history
    norms = [float(row["gradient_norm"]) for row in rows if row.get("gradient_norm") is not None]
    if len(norms) < 20 or not math.isfinite(sum(norms)) or median(norms) <= 0:
        return False
    looks = [look for row in rows if (look := WatchRow.read(row)) is not None and look.update is not None]
    updates = [look.update for look in looks[1:] or looks if look.update is not None]
    if updates:
        return 1e-4 <= median(updates) <= 0.1
    return _moved(examination)


def _moved(examination: Examination) -> bool:
    """Whether the weights are elsewhere than at the start, but not out of all proportion."""
    model, start = examination.case.model, examination.case.start
    if model is None or start is None:
        return False
    before = dict(start.named_parameters())
    ratios = []
    for name, weight in model.named_parameters():
        if name in before and before[name].shape == weight.shape and weight.dim() > 1:
            old = before[name].detach().float()
            ratios.append(float(torch.norm(weight.detach().float() - old) / torch.norm(old).clamp_min(1e-12)))
    return bool(ratios) and 0.02 <= median(ratios) <= 20
