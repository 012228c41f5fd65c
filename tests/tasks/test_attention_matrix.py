"""Where a decoder looked: how sharply, in which order, drawn."""

import math

import numpy as np
import pytest
import torch

from peephole.errors import InputError
from peephole.generate.hypothesis import Hypothesis
from peephole.tasks.examples.attention_matrix import AttentionMatrix

SOURCE, SAID = ("ein", "kleiner", "hund", "$1"), ("a", "small", "dog", "$1", "<end>")


def matrix(weights: list[list[float]]) -> AttentionMatrix:
    return AttentionMatrix(SOURCE, SAID[: len(weights)], np.array(weights, np.float32))


def one_hot(places: list[int]) -> list[list[float]]:
    return np.eye(4)[places].tolist()


def test_how_sharply_it_looks() -> None:
    assert abs(matrix(one_hot([0, 1, 2])).width - 1) <= 1e-6
    assert abs(matrix([[0.25] * 4] * 2).width - 4) <= 1e-6
    assert abs(matrix([[0.5, 0.5, 0, 0], [0, 0, 0, 1.0]]).width - 1.5) <= 1e-6


def test_in_which_order_it_looks() -> None:
    assert abs(matrix(one_hot([0, 1, 2, 3])).order - 1) <= 1e-9
    assert abs(matrix(one_hot([3, 2, 1, 0])).order + 1) <= 1e-9
    assert math.isnan(matrix(one_hot([2, 2, 2])).order)
    assert math.isnan(matrix(one_hot([0, 1])).order)
    assert matrix(one_hot([0, 1, 3])).verdict == (
        "looks at 1.0 of 4 words at a time (exp of the entropy, mean of the steps), from left to right (rank "
        "correlation of place and step 1.00)."
    )
    assert "from right to left" in matrix(one_hot([3, 2, 1])).verdict
    assert "in an order of its own" in matrix(one_hot([0, 3, 1, 2])).verdict
    assert matrix([[0.25] * 4]).verdict.endswith("mean of the steps).")
    assert AttentionMatrix(SOURCE, (), np.zeros((0, 4), np.float32)).verdict.startswith("nothing")


def test_places_behind_the_end_of_the_source_are_cut_off() -> None:
    attention = torch.tensor([[0.5, 0.5, 0.0, 0.0, 0.0, 0.0]] * 2)
    found = AttentionMatrix.of(Hypothesis((5, 0), -1.0, True, attention), SOURCE, ("a", "<end>"))
    assert found.weights.shape == (2, 4)
    assert found.target == ("a", "<end>")
    with pytest.raises(InputError, match="no attention"):
        AttentionMatrix.of(Hypothesis((5, 0), -1.0, True), SOURCE, ("a", "<end>"))


def test_it_draws_itself() -> None:
    pytest.importorskip("matplotlib")
    from peephole.figures import draw, png

    figure = draw(matrix(one_hot([0, 1, 2, 3])).plot)
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == list(SOURCE)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(SAID[:4])
    assert png(figure)
    many = AttentionMatrix(("w",) * 80, ("v",) * 70, np.full((70, 80), 1 / 80, np.float32))
    ax = draw(many.plot).axes[0]
    assert len(ax.get_xticklabels()) == len(ax.get_yticklabels()) == 50
    assert "the first 50" in ax.get_title("left")
