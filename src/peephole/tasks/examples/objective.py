"""What the training loop needs of a task on a data set."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from peephole.nn.noise import noise_seed
from peephole.train.contract import Batches

if TYPE_CHECKING:
    from peephole.tasks.examples.model import ExamplesModel


class ExamplesObjective:
    """Batches of whole sequences, each from the initial state; what they mean is the task's affair."""

    def __init__(self, task_model: "ExamplesModel") -> None:
        self.task_model = task_model
        self.unit = task_model.unit
        self.noisy = task_model.is_noisy

    def batches(self, rank: int, world_size: int) -> Batches:
        return self.task_model.batches(rank, world_size)

    def divergence(
        self, model: nn.Module, window: Any, states: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, int, tuple[Tensor, ...]]:
        seed = noise_seed(None, window.inputs.device) if self.noisy else None
        outputs = self.task_model.respond(model, window, seed)
        return self.task_model.divergence(outputs, window), window.answers, ()

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return self.task_model.evaluate(model)
