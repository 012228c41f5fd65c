"""A short training: ends when solved, the same for the same seed, and overflow is a failure, not an error."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Examples
from peephole.data.problems.recall import Recall
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.train.brief import BATCHES, train_briefly
from peephole.train.budget import Budget

RECALL = Recall(lag=2, form="symbols")


def net(seed: int = 0) -> SequenceModel:
    torch.manual_seed(seed)
    config = ModelConfig(cell="gru", layers=1, hidden_size=8, embedding_size=4, dropout=0.0)
    return SequenceModel(RECALL.symbols, config, RECALL.outputs)


def draws(seed: int = 0) -> Callable[[int], Examples]:
    random = np.random.default_rng(seed)
    return lambda step: RECALL.draw(random, 16, 2)


def test_a_short_lag_is_learnt_and_stays_so_on_new_examples() -> None:
    model = net()
    learnt = train_briefly(model, draws(), Budget(steps=300, learning_rate=0.02))
    assert learnt.solved
    assert BATCHES < learnt.steps < 300
    assert learnt.right >= 0.99
    fresh = draws(99)(0)
    assert fresh.right(model(fresh.inputs)[0]).sum() >= 15


def test_too_few_steps_are_not_learnt() -> None:
    learnt = train_briefly(net(), draws(), Budget(steps=5, learning_rate=0.02))
    assert (learnt.solved, learnt.steps) == (False, 5)
    assert abs(learnt.divergence - math.log(2)) < 0.3


def test_the_same_again() -> None:
    def once() -> tuple[object, list[torch.Tensor]]:
        model = net()
        return train_briefly(model, draws(), Budget(steps=12)), list(model.parameters())

    (first, weights), (second, same) = once(), once()
    assert first == second
    assert all(torch.equal(one, other) for one, other in zip(weights, same, strict=True))


def test_one_step_is_adams() -> None:
    """The first update of Adam is the learning rate times the sign of the gradient, where that is not tiny."""
    model, before = net(), net()
    examples = draws()(0)
    train_briefly(model, lambda step: examples, Budget(steps=1, learning_rate=0.01))
    (examples.divergence(before(examples.inputs)[0]) / examples.answers).backward()
    for new, old in zip(model.parameters(), before.parameters(), strict=True):
        assert old.grad is not None
        clear = old.grad.abs() > 1e-4
        assert ((new - old)[clear] + 0.01 * old.grad[clear].sign()).abs().max() <= 1e-4


class Constant(nn.Module):
    """Answers that are one parameter times a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.weight, self.factor = nn.Parameter(torch.ones(2)), factor

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.factor * self.weight.expand(*inputs.shape, 2)


def test_numbers_that_overflow_are_not_learnt() -> None:
    parity, random = Parity(length=3), np.random.default_rng(0)
    learnt = train_briefly(Constant(math.inf), lambda step: parity.draw(random, 4, 3), Budget(steps=50))
    assert (learnt.solved, learnt.steps, learnt.divergence) == (False, 1, math.inf)


def test_a_gradient_that_overflows_ends_it() -> None:
    class Steep(Constant):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:  # √|w − 1| is 0 with an infinite slope
            return super().forward(inputs) * (self.weight - 1).abs().sqrt()

    parity, random = Parity(length=3), np.random.default_rng(0)
    learnt = train_briefly(Steep(1.0), lambda step: parity.draw(random, 4, 3), Budget(steps=50))
    assert (learnt.solved, learnt.steps, learnt.divergence) == (False, 1, math.inf)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"steps": 0}, "--steps is 0; expected at least 1"),
        ({"batch_size": 0}, "--batch-size is 0; expected at least 1"),
        ({"learning_rate": 0.0}, "--learning-rate is 0.0; expected more than 0"),
        ({"clip_norm": math.nan}, "--clip-norm is nan; expected more than 0"),
        ({"solved_at": 1.5}, "--solved-at is 1.5; expected a share"),
    ],
)
def test_budgets_that_cannot_be(options: dict[str, float], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Budget(**options)  # pyright: ignore[reportArgumentType]
