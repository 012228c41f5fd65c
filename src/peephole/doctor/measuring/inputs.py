"""How large the numbers are that go into a net, feature by feature."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating

ROWS = 64  # of each batch: enough for a mean and a deviation

# Layers that bring what they get to a mean and a deviation of their own: what comes out of them is what counts.
NORMALISING = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._BatchNorm,  # pyright: ignore[reportPrivateUsage]
    nn.modules.instancenorm._InstanceNorm,  # pyright: ignore[reportPrivateUsage]
)


@dataclass(frozen=True, eq=False)
class Scales:
    """Of each feature over all steps and rows, `[I]` of float64: mean, standard deviation, and the value that is
    furthest from the mean, as a distance. Numbers that are not finite are left out.

    `within` says that they are of what the net's first layer with weights gets, which the net makes of its input.
    """

    mean: Tensor
    deviation: Tensor
    furthest: Tensor
    within: bool


def scales(examination: Examination) -> Scales | None:
    """Of the training batches, or held-out ones where there are none; None where inputs are symbols.

    A net may bring its input to scale itself. So of a net that can be run the numbers are taken where they reach its
    first layer with weights of its own, if there are as many a step as in the input.
    """
    case = examination.case
    batches = [batch for batch in case.training or case.held_out if not batch.symbols]
    if not batches:
        return None
    batches = [batch.first_rows(ROWS) for batch in batches]
    values = torch.cat([batch.inputs.flatten(0, 1) for batch in batches])
    reached = None
    if case.model is not None:
        found = [_first_reached(case, batch) for batch in batches]
        if all(one is not None and one.shape[-1] == values.shape[-1] for one in found):
            reached = torch.cat([one.flatten(0, -2) for one in found if one is not None])
    within = reached is not None and (reached.shape != values.shape or not _same(reached, values))
    return _scales(reached if within and reached is not None else values, within)


def _scales(values: Tensor, within: bool) -> Scales:
    values = values.detach().cpu().double()
    known = torch.isfinite(values)
    values, count = torch.where(known, values, 0.0), known.sum(0).clamp_min(1)
    mean = values.sum(0) / count
    away = torch.where(known, values - mean, 0.0)
    return Scales(mean, (away.square().sum(0) / count).sqrt(), away.abs().amax(0), within)


def _same(reached: Tensor, values: Tensor) -> bool:
    """Whether both hold the same numbers feature by feature, in whatever order of steps and rows."""
    reached, values = reached.detach().cpu().float(), values.float()
    near = torch.allclose(reached.mean(0), values.mean(0), rtol=1e-2, atol=1e-3, equal_nan=True)
    return near and torch.allclose(reached.std(0), values.std(0), rtol=1e-2, atol=1e-3, equal_nan=True)


@torch.no_grad()
def _first_reached(case: Case, batch: Batch) -> Tensor | None:
    """What the first part with weights of its own is called with; None where the net does not run, or has none."""
    assert case.model is not None
    reached: list[Tensor] = []

    def hear(part: nn.Module, given: tuple[object, ...]) -> None:
        first = next((one for one in given if isinstance(one, Tensor) and one.is_floating_point()), None)
        if first is not None and not reached:
            reached.append(first)

    weighted = [
        part
        for part in case.model.modules()
        if not isinstance(part, NORMALISING) and any(True for _ in part.parameters(recurse=False))
    ]
    handles = [part.register_forward_pre_hook(hear) for part in weighted]
    try:
        with evaluating(case.model):
            case.run(batch)
    except InputError:  # then the input itself has to do
        return None
    finally:
        for handle in handles:
            handle.remove()
    return reached[0] if reached else None
