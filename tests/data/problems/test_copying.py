"""Copying memory: the layout written out by hand, and the baseline of the paper measured."""

import math

import numpy as np
import pytest
import torch

from peephole.data.problems.copying import Copying
from peephole.errors import InputError


@pytest.mark.parametrize(("delay", "items", "alphabet"), [(1, 1, 2), (1, 3, 8), (2, 1, 3), (7, 4, 26), (100, 10, 8)])
@pytest.mark.parametrize("answers", ["items", "all"])
def test_layout(delay: int, items: int, alphabet: int, answers: str) -> None:
    problem = Copying(delay=delay, items=items, alphabet=alphabet, answers=answers)
    examples = problem.draw(np.random.default_rng([delay, items]), 7, delay)
    blank, delimiter, counted = alphabet, alphabet + 1, 0
    for row in range(7):
        shown = examples.inputs[:items, row].tolist()
        assert all(0 <= item < alphabet for item in shown)
        inputs = shown + [blank] * (delay - 1) + [delimiter] + [blank] * items
        wanted = [blank] * (items + delay) + shown
        assert examples.inputs[:, row].tolist() == inputs
        assert examples.targets[:, row].tolist() == wanted
        weights = [1.0] * len(wanted) if answers == "all" else [0.0] * (items + delay) + [1.0] * items
        assert examples.weights[:, row].tolist() == weights
        counted += int(sum(weights))
        assert all(inputs[step] == wanted[step + problem.span] for step in range(items))
    assert examples.answers == counted
    assert problem.symbols == delimiter + 1
    assert problem.outputs == blank + 1


def test_items_are_uniform_and_fixed_by_the_seed() -> None:
    first, again, other = (Copying().draw(np.random.default_rng([seed]), 1000, 5) for seed in (0, 0, 1))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.targets, again.targets)
    assert not torch.equal(first.inputs, other.inputs)
    counts = torch.bincount(first.inputs[:10].flatten(), minlength=8)
    assert float((counts / 10_000 - 1 / 8).abs().max()) <= 4.5 * (1 / 8 / 10_000) ** 0.5


def blindly(problem: Copying, rows: int, size: int) -> torch.Tensor:
    """What the net answers that knows the layout and has kept nothing: blanks, then all items alike."""
    outputs = torch.zeros(size + 2 * problem.items, rows, problem.outputs)
    outputs[: -problem.items, :, -1] = 1e4
    outputs[-problem.items :, :, -1] = -1e4
    return outputs


@pytest.mark.parametrize("answers", ["items", "all"])
def test_blind_is_the_divergence_without_memory(answers: str) -> None:
    problem = Copying(delay=30, answers=answers)
    examples = problem.draw(np.random.default_rng(0), 20, 30)
    measured = examples.divergence(blindly(problem, 20, 30)) / examples.answers
    assert abs(measured - problem.blind) <= 1e-5
    assert abs(problem.blind - (math.log(8) if answers == "items" else 10 * math.log(8) / (30 + 20))) <= 1e-12


def test_right_answers_are_items_brought_back() -> None:
    examples = Copying(delay=30).draw(np.random.default_rng(0), 400, 30)
    share = float(examples.right(blindly(Copying(delay=30), 400, 30)).sum()) / examples.answers
    assert abs(share - 1 / 8) <= 0.025  # 4.8 deviations of 4,000 guesses
    wanted = torch.nn.functional.one_hot(examples.targets, 9).float()
    assert float(examples.right(wanted).sum()) == examples.answers == 4000


def test_items_are_read_and_answered() -> None:
    problem = Copying(delay=3, items=4, alphabet=3)
    assert problem.read("acba")[:, 0].tolist() == [0, 2, 1, 0, 3, 3, 4, 3, 3, 3, 3]
    outputs = torch.nn.functional.one_hot(torch.tensor([3] * 7 + [0, 2, 3, 1]), 4).float()[:, None]
    assert problem.answer("acba", outputs) == "ac-b"
    for line in ("", "abc", "abcab", "abcd", "ABCA", "ab a"):
        with pytest.raises(InputError, match="expected 4 letters from a to c"):
            problem.read(line)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"delay": 0}, "--delay is 0; expected at least 1"),
        ({"delay": -7}, "--delay is -7; expected at least 1"),
        ({"items": 0}, "--items is 0; expected at least 1"),
        ({"alphabet": 1}, "--alphabet is 1; expected at least 2"),
        ({"alphabet": 27}, "--alphabet is 27; expected at most 26"),
    ],
)
def test_options_that_cannot_be(options: dict[str, int], match: str) -> None:
    with pytest.raises(InputError, match=match):
        Copying(**options)
