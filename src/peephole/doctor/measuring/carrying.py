"""Whether the state that one batch hands to the next helps the net there."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating

ROWS = 64  # of a batch
LEAST_ROWS = 4  # fewer say nothing: there is no other row to compare with
FIRST = 8  # steps of a batch in which the state that it starts from counts most

Couple = tuple[Batch, Batch]


@dataclass(frozen=True)
class Carried:
    """Mean divergence of a batch's first steps with the state that was carried, with none, and with another row's.

    `help` and `kinship` are how much lower it is with the carried state than with none, and than with another row's, in
    standard errors of the mean difference.
    """

    carried: float
    none: float
    other: float
    help: float
    kinship: float


@torch.no_grad()
def carried(examination: Examination) -> Carried | None:
    """In evaluation mode; None where no state is handed on, or the net gives or takes none."""
    case = examination.case
    couples = couples_of(case)[0]
    if case.model is None or not couples:
        return None
    found: list[Tensor] = []
    with evaluating(case.model):
        for before, after in couples[:6]:
            try:
                _, states = case.run(before)
                if not states or any(state.shape[-2] != before.rows for state in states):
                    return None
                start = _first(after)
                others = tuple(state.roll(1, -2) for state in states)
                runs = [case.run(start, given)[0] for given in (states, tuple(map(torch.zeros_like, states)), others)]
            except InputError:  # it takes no states
                return None
            each = torch.stack([(case.each(run, start) * start.counts).sum(0) for run in runs])
            found.append(each / start.counts.sum(0).clamp_min(1.0))
    rows = torch.cat(found, 1).double()  # [3, rows]
    if not bool(torch.isfinite(rows).all()):
        return None
    means = rows.mean(1).tolist()
    return Carried(means[0], means[1], means[2], _errors(rows[1] - rows[0]), _errors(rows[2] - rows[0]))


def _errors(difference: Tensor) -> float:
    """A mean in its standard errors."""
    error = float(difference.std()) / math.sqrt(len(difference))
    return float(difference.mean()) / error if error > 0 else 0.0


def couples_of(case: Case) -> tuple[list[Couple], float]:
    """Batches of which the second begins with the first one's state, and the share of batches that begin so."""
    batches = case.training
    if case.settings.get("carry") is False or len(batches) < 2:
        return [], 0.0
    found = [(one, two) for one, two in pairwise(batches) if two.carry and one.rows == two.rows]
    if not found or found[0][0].rows < LEAST_ROWS:
        return [], 0.0
    share = len(found) / (len(batches) - 1)
    return [(one.first_rows(ROWS), two.first_rows(ROWS)) for one, two in found], share


def _first(batch: Batch) -> Batch:
    """The first steps, or all where none of the first counts."""
    if len(batch.targets) != batch.steps or not float(batch.counts[:FIRST].sum()):
        return batch
    cut = {name: getattr(batch, name) for name in ("inputs", "targets", "weights", "resets")}
    return replace(batch, **{name: None if one is None else one[:FIRST] for name, one in cut.items()})
