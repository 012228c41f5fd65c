"""The adding problem: sums taken by hand, markers where they may stand, and the variance that a constant leaves."""

import numpy as np
import pytest
import torch

from peephole.data.problems.adding import Adding
from peephole.errors import InputError

MARKERS = ["halves", "anywhere"]


@pytest.mark.parametrize("size", [2, 3, 4, 5, 50, 201])
@pytest.mark.parametrize("markers", MARKERS)
def test_targets_are_the_sums_of_what_is_marked(size: int, markers: str) -> None:
    examples = Adding(markers=markers).draw(np.random.default_rng([1, size]), 30, size)
    assert examples.inputs.shape == (size, 30, 2)
    assert examples.targets.shape == (size, 30, 1)
    assert examples.inputs.dtype == examples.targets.dtype == torch.float32
    assert examples.weights.sum(1).tolist() == [0.0] * (size - 1) + [30.0]
    for row in range(30):
        total, marked = 0.0, []
        for step, (value, mark) in enumerate(examples.inputs[:, row].tolist()):
            assert 0.0 <= value < 1.0
            assert mark in (0.0, 1.0)
            if mark:
                total += value
                marked.append(step)
        assert len(marked) == 2
        assert abs(total - float(examples.targets[-1, row, 0])) <= 1e-6
        if markers == "halves":
            assert marked[0] < size // 2 <= marked[1]


@pytest.mark.parametrize("markers", MARKERS)
def test_markers_are_uniform_where_they_may_stand(markers: str) -> None:
    size, rows = 9, 20_000
    marks = Adding(markers=markers).draw(np.random.default_rng(5), rows, size).inputs[:, :, 1]
    share = marks.mean(1)
    expected = torch.tensor([1 / 4] * 4 + [1 / 5] * 5) if markers == "halves" else torch.full((9,), 2 / 9)
    assert float((share - expected).abs().max()) <= 4.5 * (0.25 * 0.75 / rows) ** 0.5
    if markers == "anywhere":  # all 36 pairs of steps, equally often
        pairs = torch.bincount(marks.T.nonzero()[:, 1].view(rows, 2) @ torch.tensor([size, 1]), minlength=size**2)
        found = pairs[pairs > 0]
        assert len(found) == 36
        assert float((found / rows - 1 / 36).abs().max()) <= 4.5 * (1 / 36 / rows) ** 0.5


def test_numbers_are_uniform_and_fixed_by_the_seed() -> None:
    first, again, other = (Adding().draw(np.random.default_rng([seed, 0]), 64, 200) for seed in (0, 0, 1))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.targets, again.targets)
    assert not torch.equal(first.inputs, other.inputs)
    values = first.inputs[:, :, 0].flatten().sort().values
    distance = (values - torch.linspace(0, 1, len(values))).abs().max()  # Kolmogorov and Smirnov's
    assert float(distance) <= 2.0 / len(values) ** 0.5  # passed by uniform numbers but once in 1,500


@pytest.mark.parametrize("markers", MARKERS)
def test_blind_is_what_the_best_constant_leaves(markers: str) -> None:
    problem = Adding(markers=markers)
    examples = problem.draw(np.random.default_rng(2), 20_000, 4)
    left = {
        constant: float(examples.divergence(torch.full((4, 20_000, 1), constant)) / examples.answers)
        for constant in (0.9, 1.0, 1.1)
    }
    assert abs(left[1.0] - problem.blind) <= 0.005  # three standard deviations of the mean of 20,000 squares
    assert min(left.values()) == left[1.0]


def test_right_is_within_four_hundredths() -> None:
    examples = Adding().draw(np.random.default_rng(3), 5, 10)
    off = torch.tensor([0.0, 0.03, -0.03, 0.05, -0.05])[:, None]
    assert examples.right(examples.targets + off)[-1].tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_lag_is_from_the_first_step_to_the_last() -> None:
    assert Adding(length=600).span == 599


def test_numbers_are_read_and_the_sum_written() -> None:
    problem = Adding()
    inputs = problem.read("0.5 *0.25 1 *0.125")
    assert inputs.tolist() == [[[0.5, 0.0]], [[0.25, 1.0]], [[1.0, 0.0]], [[0.125, 1.0]]]
    assert problem.answer("", torch.tensor([[[9.0]], [[0.375]]])) == "0.375"
    for line in ("", "0.5 0.5", "*0.5", "*1 *1 *1", "*2 *0.5", "*nan *0.5", "*x *0.5", "* *1"):
        with pytest.raises(InputError, match="two of them marked"):
            problem.read(line)


@pytest.mark.parametrize("length", [1, 0, -5])
def test_lengths_that_cannot_be(length: int) -> None:
    with pytest.raises(InputError, match=rf"--length is {length}; expected at least 2"):
        Adding(length=length)
