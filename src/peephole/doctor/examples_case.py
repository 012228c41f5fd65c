"""A run on a data set of sequences as a `Case`."""

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from peephole.doctor.case import Batch, Case
from peephole.models.inputs import entered
from peephole.models.perceptron import Perceptron
from peephole.models.sequence import SequenceModel
from peephole.tasks.examples.model import ExamplesModel

BATCHES = 8  # of training and of held-out data
ROUNDS = 40  # of the search for the best constant answer


def with_examples(case: Case, model: ExamplesModel) -> Case:
    """The case with batches of the run's data, as its training sees them.

    A net whose input layer reads several numbers a step that stand for something, such as a word and its letters, is
    looked at from behind that layer: rules ask of inputs whether they are symbols or measured values, and those are
    neither.
    """
    batches = model.batches(0, 1)
    training = tuple(Batch.of(batches.next()).few for _ in range(min(BATCHES, batches.windows_per_epoch)))
    held_out = model.part_batches(model.measured_part, BATCHES)
    case = dataclasses.replace(case, held_out=tuple(Batch.of(batch).few for batch in held_out), training=training)
    if any(batch.valued for batch in training):
        case = dataclasses.replace(case, score=lambda outputs, batch: _each(model, outputs, batch))
        case = dataclasses.replace(case, trivial=_blind(model, case, training))
    net = case.model
    assert isinstance(net, SequenceModel | Perceptron)
    if training[0].symbols and training[0].inputs.dim() > 2 and isinstance(net, SequenceModel):
        start = case.start.entered() if isinstance(case.start, SequenceModel) else None
        case = dataclasses.replace(
            case,
            model=net.entered(),
            start=start,
            training=tuple(_behind(net, batch) for batch in training),
            held_out=tuple(_behind(net, batch) for batch in case.held_out),
        )
    return dataclasses.replace(case, examples=model.examples)


@torch.no_grad()
def _behind(net: SequenceModel, batch: Batch) -> Batch:
    return dataclasses.replace(batch, inputs=entered(net.embedding, batch.inputs, batch.lengths)[0])


def _each(model: ExamplesModel, outputs: Tensor, batch: Batch) -> Tensor:
    """The divergence of each target, `[T, B]`: Div is linear in the weights over time, and this its derivative."""
    weights = torch.ones(batch.targets.shape[:2], requires_grad=True)
    with torch.enable_grad():
        total = model.divergence(outputs, dataclasses.replace(batch, weights=weights))
        return torch.autograd.grad(total, weights, create_graph=outputs.requires_grad)[0]


def _blind(model: ExamplesModel, case: Case, batches: Sequence[Batch]) -> float:
    """The mean divergence of the best answer that is the same for all inputs."""
    net = case.model
    assert isinstance(net, SequenceModel | Perceptron)
    constant = torch.zeros(net.head.out_features, requires_grad=True)
    counted = sum(float(batch.counts.sum()) for batch in batches)
    search = torch.optim.LBFGS([constant], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def mean() -> Tensor:
        search.zero_grad()
        parts = [model.divergence(constant.expand(*batch.targets.shape[:2], -1), batch) for batch in batches]
        value = torch.stack(parts).sum() / max(1.0, counted)
        value.backward()
        return value

    search.step(mean)  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        parts = [model.divergence(constant.expand(*batch.targets.shape[:2], -1), batch) for batch in batches]
    return float(torch.stack(parts).sum()) / max(1.0, counted)
