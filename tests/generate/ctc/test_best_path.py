"""The best path against its definition, in one go and frame by frame; outputs that are none."""

import doctest

import numpy as np
import pytest

from peephole.errors import InputError
from peephole.generate.ctc import best_path as module
from peephole.generate.ctc.best_path import BestPath, Label, best_path

from .paths import said_by, some_logs


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0


@pytest.mark.parametrize("blank", [0, 3])
@pytest.mark.parametrize("frames", [0, 1, 2, 61])
def test_says_what_the_likeliest_symbols_say(frames: int, blank: int) -> None:
    logs = some_logs(frames, 4, seed=frames)
    found = best_path(logs, blank)
    assert tuple(label.symbol for label in found) == said_by(tuple(logs.argmax(1).tolist()), blank)
    for label in found:
        assert (logs[label.first : label.end].argmax(1) == label.symbol).all()
        assert label.first <= label.peak < label.end
        assert abs(label.confidence - np.exp(logs[label.first : label.end, label.symbol]).max()) <= 1e-12
        assert abs(label.confidence - np.exp(logs[label.peak, label.symbol])) <= 1e-12


@pytest.mark.parametrize("size", [1, 2, 7])
def test_frame_by_frame_is_the_same(size: int) -> None:
    logs = some_logs(61, 3)
    path = BestPath()
    found: list[Label] = []
    for start in range(0, 61, size):
        found += path.feed(logs[start : start + size])
        assert all(label.end <= path.frames for label in found)
    assert found + path.finish() == best_path(logs)
    assert path.finish() == []


def test_what_are_no_log_probabilities_is_refused() -> None:
    with pytest.raises(InputError, match=r"probabilities of frame 1 add up to .*; expected 1: take log_softmax"):
        best_path(np.array([[0.0, -np.inf], [1.0, 2.0]]))
    with pytest.raises(InputError, match="frame 0 add up to nan"):
        best_path(np.array([[np.nan, 0.0]]))
    with pytest.raises(InputError, match="the blank is symbol 2 of 2"):
        best_path(some_logs(3, 2), blank=2)
