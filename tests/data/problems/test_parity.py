"""Parity: every bit's answer counted by hand, at any length."""

import math

import numpy as np
import pytest
import torch

from peephole.data.problems.parity import Parity
from peephole.errors import InputError


@pytest.mark.parametrize("size", [1, 2, 3, 20, 77])
@pytest.mark.parametrize("answers", ["each", "last"])
def test_targets_are_the_parity_so_far(size: int, answers: str) -> None:
    examples = Parity(answers=answers).draw(np.random.default_rng([0, size]), 6, size)
    assert examples.inputs.shape == examples.targets.shape == examples.weights.shape == (size, 6)
    for row in range(6):
        ones = 0
        for step in range(size):
            ones += int(examples.inputs[step, row])
            assert int(examples.targets[step, row]) == (1 if ones in range(1, size + 1, 2) else 0)
    assert examples.weights.sum(1).tolist() == [6.0 if answers == "each" else 0.0] * (size - 1) + [6.0]
    assert examples.answers == (6 * size if answers == "each" else 6)


def test_bits_are_fair_and_fixed_by_the_seed() -> None:
    first, again, other = (Parity().draw(np.random.default_rng([seed]), 100, 20).inputs for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert set(first.unique().tolist()) == {0, 1}
    assert abs(first.float().mean() - 0.5) <= 0.05  # 4.5 standard deviations of 2,000 fair bits


@pytest.mark.parametrize("answers", ["each", "last"])
def test_blind_is_the_divergence_of_even_odds(answers: str) -> None:
    problem = Parity(answers=answers)
    examples = problem.draw(np.random.default_rng(0), 50, 20)
    measured = examples.divergence(torch.zeros(20, 50, 2)) / examples.answers
    assert abs(measured - problem.blind) <= 1e-6
    assert abs(problem.blind - math.log(2)) <= 1e-12
    # a constant that leans to either side is worse: 20 or 1,000 answers are even and odd equally often, nearly
    for lean in (-0.5, 0.5):
        leaning = torch.tensor([lean, 0.0]).expand(20, 50, 2)
        assert examples.divergence(leaning) / examples.answers >= problem.blind - 0.1


def test_lag() -> None:
    assert Parity(length=30).span == 1
    assert Parity(length=30, answers="last").span == 30


def test_strings_are_read_and_answered() -> None:
    problem = Parity()
    assert problem.read("1011").tolist() == [[1], [0], [1], [1]]
    even, odd = torch.tensor([[[0.0, 9.0]], [[2.0, 1.0]]]), torch.tensor([[[9.0, 0.0]], [[1.0, 2.0]]])
    assert [problem.answer("10", outputs) for outputs in (even, odd)] == ["even", "odd"]
    for line in ("", "102", "1 0", "abc"):
        with pytest.raises(InputError, match="expected a string of 0 and 1"):
            problem.read(line)


@pytest.mark.parametrize("length", [0, -3])
def test_lengths_that_cannot_be(length: int) -> None:
    with pytest.raises(InputError, match=rf"--length is {length}; expected at least 1"):
        Parity(length=length)
