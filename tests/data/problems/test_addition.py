"""Addition: digits turned into Python's whole numbers, added there, and turned back."""

import math

import numpy as np
import pytest
import torch

from peephole.data.problems.addition import Addition
from peephole.errors import InputError


def number(digits: list[int], base: int) -> int:
    """The number that digits spell, least significant first."""
    return sum(digit * base**place for place, digit in enumerate(digits))


@pytest.mark.parametrize("base", [2, 3, 10, 16, 36])
@pytest.mark.parametrize("size", [1, 2, 12, 60])
def test_sums_are_those_of_whole_numbers(base: int, size: int) -> None:
    examples = Addition(base=base).draw(np.random.default_rng([base, size]), 8, size)
    assert examples.inputs.shape == examples.targets.shape == (size + 1, 8)
    assert bool((examples.weights == 1).all())
    assert int(examples.inputs.min()) >= 0
    assert int(examples.inputs.max()) < base**2
    for row in range(8):
        pairs = [divmod(pair, base) for pair in examples.inputs[:, row].tolist()]
        assert pairs[-1] == (0, 0)
        first, second = (number([pair[term] for pair in pairs], base) for term in (0, 1))
        found = examples.targets[:, row].tolist()
        assert all(0 <= digit < base for digit in found)
        assert number(found, base) == first + second


def test_digits_are_fixed_by_the_seed_and_carries_happen() -> None:
    first, again, other = (Addition().draw(np.random.default_rng([seed]), 200, 12) for seed in (0, 0, 1))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.targets, again.targets)
    assert not torch.equal(first.inputs, other.inputs)
    assert first.inputs[:-1].unique().tolist() == [0, 1, 2, 3]
    assert abs(first.targets[-1].float().mean() - 0.5) <= 0.15  # the last carry: half of the time, 4 deviations


@pytest.mark.parametrize("base", [2, 10])
def test_blind_is_the_divergence_of_even_odds(base: int) -> None:
    problem = Addition(base=base)
    examples = problem.draw(np.random.default_rng(0), 50, 12)
    measured = examples.divergence(torch.zeros(13, 50, base)) / examples.answers
    assert abs(measured - problem.blind) <= 1e-5
    assert abs(problem.blind - math.log(base)) <= 1e-12


@pytest.mark.parametrize(
    ("base", "line", "total"), [(2, "1011 + 110", "10001"), (10, "99+1", "100"), (16, "FF+1", "100")]
)
def test_terms_are_read_and_the_sum_written(base: int, line: str, total: str) -> None:
    problem = Addition(base=base)
    inputs = problem.read(line)
    terms = [term.strip() for term in line.split("+")]
    pairs = [divmod(pair, base) for pair in inputs[:, 0].tolist()]
    assert [number([pair[term] for pair in pairs], base) for term in (0, 1)] == [int(term, base) for term in terms]
    places = [int(digit, base) for digit in total[::-1]]
    places += [0] * (len(inputs) - len(places))
    outputs = torch.nn.functional.one_hot(torch.tensor(places), base).float()[:, None]
    assert problem.answer(line, outputs) == total


def test_zero_is_written() -> None:
    assert Addition().answer("0+0", torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])) == "0"


@pytest.mark.parametrize("line", ["", "1", "1+", "+1", "1+1+1", "12+1", "1-1"])
def test_lines_that_are_no_sum(line: str) -> None:
    with pytest.raises(InputError, match="expected two numbers in base 2"):
        Addition().read(line)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"length": 0}, "--length is 0; expected at least 1"),
        ({"base": 1}, "--base is 1; expected at least 2"),
        ({"base": -10}, "--base is -10; expected at least 2"),
        ({"base": 37}, "--base is 37; expected at most 36"),
    ],
)
def test_options_that_cannot_be(options: dict[str, int], match: str) -> None:
    with pytest.raises(InputError, match=match):
        Addition(**options)
