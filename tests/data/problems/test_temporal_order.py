"""Temporal order: classes found by looking for the letters, and where the letters stand."""

import math

import numpy as np
import pytest
import torch

from peephole.data.problems.temporal_order import TemporalOrder
from peephole.errors import InputError

CLASSES = {2: ["AA", "AB", "BA", "BB"], 3: ["AAA", "AAB", "ABA", "ABB", "BAA", "BAB", "BBA", "BBB"]}


def spelled(column: torch.Tensor) -> str:
    return "".join("ABcdef"[symbol] for symbol in column.tolist())


@pytest.mark.parametrize("relevant", [2, 3])
@pytest.mark.parametrize("size", [*range(10, 31), 101, 200])
def test_the_class_is_the_order_of_the_letters(size: int, relevant: int) -> None:
    examples = TemporalOrder(relevant=relevant).draw(np.random.default_rng([size, relevant]), 20, size)
    assert examples.inputs.shape == examples.targets.shape == (size, 20)
    assert examples.weights.sum(1).tolist() == [0.0] * (size - 1) + [20.0]
    for row in range(20):
        letters = [letter for letter in spelled(examples.inputs[:, row]) if letter in "AB"]
        assert "".join(letters) == CLASSES[relevant][int(examples.targets[-1, row])]


@pytest.mark.parametrize(("relevant", "ranges"), [(2, [(20, 40), (80, 100)]), (3, [(20, 40), (66, 86), (132, 152)])])
def test_letters_stand_in_their_ranges(relevant: int, ranges: list[tuple[int, int]]) -> None:
    rows = 6000
    examples = TemporalOrder(relevant=relevant).draw(np.random.default_rng(7), rows, 200)
    steps = (examples.inputs.T < 2).nonzero()[:, 1].view(rows, relevant)
    for (first, last), found in zip(ranges, steps.T, strict=True):
        counts = torch.bincount(found, minlength=200)
        assert int(counts[first : last + 1].sum()) == rows
        share = 1 / (last - first + 1)
        assert float((counts[first : last + 1] / rows - share).abs().max()) <= 4.5 * (share / rows) ** 0.5
    classes = torch.bincount(examples.targets[-1], minlength=2**relevant) / rows
    assert float((classes - 0.5**relevant).abs().max()) <= 4.5 * (0.5**relevant / rows) ** 0.5
    others = torch.bincount(examples.inputs.flatten())[2:].double()
    assert float((others / others.sum() - 1 / 4).abs().max()) <= 4.5 * (1 / 4 / float(others.sum())) ** 0.5


def test_examples_are_fixed_by_the_seed() -> None:
    first, again, other = (TemporalOrder().draw(np.random.default_rng([seed, 3]), 9, 50) for seed in (0, 0, 1))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.targets, again.targets)
    assert not torch.equal(first.inputs, other.inputs)


@pytest.mark.parametrize("relevant", [2, 3])
def test_blind_is_the_divergence_of_even_odds(relevant: int) -> None:
    problem = TemporalOrder(relevant=relevant)
    examples = problem.draw(np.random.default_rng(0), 50, 20)
    measured = examples.divergence(torch.zeros(20, 50, problem.outputs)) / examples.answers
    assert problem.outputs == len(CLASSES[relevant])
    assert abs(measured - problem.blind) <= 1e-6
    assert abs(problem.blind - math.log(2**relevant)) <= 1e-12


def test_lag_is_from_the_earliest_letter_to_the_last_step() -> None:
    problem = TemporalOrder(length=100)
    drawn = problem.draw(np.random.default_rng(1), 500, 100)
    assert problem.span == 89 == 99 - int((drawn.inputs < 2).any(1).nonzero()[0])


@pytest.mark.parametrize("relevant", [2, 3])
def test_letters_are_read_and_answered(relevant: int) -> None:
    problem = TemporalOrder(relevant=relevant)
    examples = problem.draw(np.random.default_rng(0), 4, 40)
    for row in range(4):
        line = spelled(examples.inputs[:, row])
        assert torch.equal(problem.read(line), examples.inputs[:, row : row + 1])
        outputs = torch.nn.functional.one_hot(examples.targets[:, row : row + 1], problem.outputs).float()
        assert problem.answer(line, outputs) == "".join(letter for letter in line if letter in "AB")
    for line in ("", "cdef", "cAd", "AABB", "A B", "cAgB", "aabb"):
        with pytest.raises(InputError, match=f"expected {relevant} letters A or B"):
            problem.read(line)


@pytest.mark.parametrize("length", [9, 0, -1])
def test_lengths_that_cannot_be(length: int) -> None:
    with pytest.raises(InputError, match=rf"--length is {length}; expected at least 10"):
        TemporalOrder(length=length)


def test_letters_that_cannot_be() -> None:
    with pytest.raises(InputError, match="--relevant is 4; expected 2 or 3"):
        TemporalOrder(relevant=4)
