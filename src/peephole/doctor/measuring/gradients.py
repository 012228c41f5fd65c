"""The gradient of each training batch, by parameter."""

import torch
from torch import Tensor

from peephole.doctor.examination import Examination
from peephole.inside.effect_running import evaluating

BATCHES, ROWS = 4, 16  # few: a gradient is wanted, not its last digit


def gradients(examination: Examination) -> dict[str, tuple[Tensor, ...]]:
    """∂Div/∂w of the last batches with the weights as they are, without dropout; empty without model or batches.

    A parameter that no batch's divergence depends on is left out; the gradients in the model stay as they are.
    """
    case = examination.case
    if case.model is None or not case.training:
        return {}
    named = [(name, value) for name, value in case.model.named_parameters() if value.requires_grad]
    if not named:
        return {}
    found: dict[str, list[Tensor]] = {}
    with evaluating(case.model), torch.random.fork_rng(devices=[]), torch.enable_grad():
        for batch in case.training[-BATCHES:]:
            part = batch.first_rows(ROWS)
            value = case.divergence(case.run(part)[0], part)
            each = torch.autograd.grad(value, [parameter for _, parameter in named], allow_unused=True)
            for (name, _), gradient in zip(named, each, strict=True):
                if gradient is not None:
                    found.setdefault(name, []).append(gradient.detach().float())
    return {name: tuple(each) for name, each in found.items()}
