"""How large the net is beside its data, and how much better it does on data that it has seen."""

import math
from dataclasses import dataclass

import numpy as np

from peephole.doctor.examination import Examination
from peephole.doctor.measuring.course import course
from peephole.doctor.measuring.level import level
from peephole.errors import InputError
from peephole.inside.nets import recurrent_nets

SHORTER = 0.9  # times the steps of held-out sequences: training that is shorter is easier


@dataclass(frozen=True)
class Capacity:
    """Sizes and divergences; NaN, or 0 for counts, where they are not known.

    Attributes:
        parameters: of the whole net.
        units: recurrent ones, of all layers.
        widest: of one layer.
        outputs: classes or values that the net answers with.
        examples: targets that there are to learn from in all; 0 where they are made without end, or not known.
        gap: held-out divergence less that on training data, of the weights or at the end of the history, whichever is
            more, as a share of the trivial divergence; NaN where training has shorter sequences.
        rise: how far the held-out divergence had risen from its best at the end, as such a share.
        falling: how far the median divergence fell over the last three tenths of the training, as such a share.
    """

    parameters: int
    units: int
    widest: int
    outputs: int
    examples: int
    gap: float
    rise: float
    falling: float

    @property
    def crowding(self) -> float:
        """Parameters for each target; NaN where the data has no end."""
        return self.parameters / self.examples if self.examples else math.nan


def capacity(examination: Examination) -> Capacity:
    """Of the net and the history, in so far as they are there."""
    case, found, went = examination.case, examination.measured(level), examination.measured(course)
    parts = went.parts
    ended = float(parts[-1]) if len(parts) else math.nan
    known = (found.trivial, found.training, ended if math.isnan(found.training) else math.nan)
    scale = max((value for value in known if value > 0), default=math.nan)  # a net may be far worse than trivial
    gaps, rise = [], math.nan
    if _alike(examination):
        gaps.append(found.held_out - found.training)
        if len(went.held_out):
            gaps.append(float(went.held_out[-1]) - ended)
    if len(went.held_out):
        rise = float(went.held_out[-1] - went.held_out.min()) / scale
    gap = max((value for value in gaps if math.isfinite(value)), default=math.nan) / scale
    falling = float(parts[-4] - parts[-1]) / scale if len(parts) else math.nan
    units, widest = _units(examination)
    return Capacity(
        0 if case.model is None else sum(value.numel() for value in case.model.parameters()),
        units,
        widest,
        _outputs(examination),
        case.examples or 0,
        gap,
        rise,
        falling,
    )


def _alike(examination: Examination) -> bool:
    """Whether training and held-out sequences are about as long: where training has shorter ones, held-out data is
    harder, and a gap says nothing of what was learnt by heart.
    """
    case = examination.case
    if not case.training or not case.held_out or case.training[0].carry:
        return True
    shown, held = (np.mean([batch.steps for batch in batches]) for batches in (case.training, case.held_out))
    return bool(shown > SHORTER * held)


def _units(examination: Examination) -> tuple[int, int]:
    case = examination.case
    try:
        nets = [] if case.model is None else recurrent_nets(case.model)
    except InputError:
        nets = []
    if nets:
        sizes = [(net.num_layers * net.hidden_size, net.hidden_size) for _, net in nets]
        return sum(of for of, _ in sizes), max(widest for _, widest in sizes)
    wide = case.settings.get("hidden_size")
    return (int(wide) * int(case.settings.get("layers") or 1), int(wide)) if isinstance(wide, int) else (0, 0)


def _outputs(examination: Examination) -> int:
    batches = examination.case.training or examination.case.held_out
    if not batches:
        return 0
    if batches[0].valued:
        return batches[0].targets.shape[-1]
    return len(np.unique(np.concatenate([batch.targets.flatten().numpy() for batch in batches])))
