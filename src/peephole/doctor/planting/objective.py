"""What the training loop needs of a planted training, and the net whose rows may leak."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from peephole import divergence
from peephole.doctor.case import Batch
from peephole.doctor.planting.examples import Source
from peephole.models.sequence import SequenceModel

States = tuple[Tensor, ...]


class PlantedBatches:
    """The batches of a source, one after another."""

    windows_per_epoch = 1

    def __init__(self, source: Source) -> None:
        self.source, self.step = source, 0

    def next(self) -> Batch:
        """The batch of the next step."""
        self.step += 1
        return self.source.batch(self.step - 1)

    def state_dict(self) -> dict[str, int]:
        """The steps that were read."""
        return {"step": self.step}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken."""
        self.step = state["step"]


class PlantedObjective:
    """The divergence of a source's batches: KL in nats, or the squared error."""

    unit = "answers"

    def __init__(self, source: Source) -> None:
        self.source = source

    def batches(self, rank: int, world_size: int) -> PlantedBatches:
        return PlantedBatches(self.source)

    def divergence(self, model: nn.Module, window: Batch, states: States | None) -> tuple[Tensor, int, States]:
        outputs, finals = model(window.inputs, states, window.resets)
        return divergence_of(outputs, window), answers(window), finals

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """The mean on held-out data, states carried where training carries them."""
        return {"held_out": mean(model, self.source.held_out())}


def divergence_of(outputs: Tensor, window: Batch) -> Tensor:
    """The sum over the answers of a batch that count."""
    if window.valued:
        return 2 * divergence.l2(outputs, window.targets, window.weights)
    return divergence.kl(outputs, window.targets, window.weights)


def answers(window: Batch) -> int:
    """How many answers count, those left out that count NaN."""
    return int(window.counts.nan_to_num().sum())


@torch.no_grad()
def mean(model: nn.Module, windows: Sequence[Batch]) -> float:
    """The mean divergence of batches that follow each other."""
    total, counted, states = 0.0, 0, None
    for window in windows:
        outputs, states = model(window.inputs, states if window.carry else None, window.resets)
        total += float(divergence_of(outputs, window))
        counted += answers(window)
    return total / max(1, counted)


class LeakingModel(SequenceModel):
    """A sequence model whose rows are not independent: a share of each row's outputs is that of others."""

    def __init__(self, *arguments: Any, leak: float, leak_from: str, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.leak, self.leak_from = leak, leak_from

    def forward(
        self,
        inputs: Tensor,
        states: Sequence[Tensor] | None = None,
        resets: Tensor | None = None,
        seed: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, States]:
        outputs, finals = super().forward(inputs, states, resets, seed, lengths)
        others = outputs.roll(1, 1) if self.leak_from == "row" else outputs.mean(1, keepdim=True)
        return (1 - self.leak) * outputs + self.leak * others, finals


@contextmanager
def rounding(model: nn.Module) -> Iterator[None]:
    """While it lasts, the weights of `model` are rounded to bfloat16 after each step of an optimiser."""

    @torch.no_grad()
    def round_all(*given: Any) -> None:
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16())

    round_all()
    handle = register_optimizer_step_post_hook(round_all)
    try:
        yield
    finally:
        handle.remove()
