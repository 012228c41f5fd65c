"""Forced alignment and occupancy: against every path, and against the gradient of torch's CTC."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import ctc_loss

from peephole.errors import InputError
from peephole.generate.ctc.alignment import align
from peephole.generate.ctc.best_path import best_path
from peephole.generate.ctc.occupancy import occupancy

from .paths import every_path, said_by, some_logs

CASES = [(5, [1, 2], 0), (5, [1, 1], 0), (4, [], 0), (6, [0, 1, 1], 2), (3, [2, 1, 2], 0), (4, [1], 2), (3, [1, 1], 0)]


@pytest.mark.parametrize(("frames", "labels", "blank"), CASES)
def test_the_alignment_is_the_likeliest_path_that_says_it(frames: int, labels: list[int], blank: int) -> None:
    logs = some_logs(frames, 3, seed=frames)
    paths = [pair for pair in every_path(logs) if said_by(pair[0], blank) == tuple(labels)]
    want, probability = max(paths, key=lambda pair: pair[1])
    found = align(logs, np.array(labels, dtype=np.int64), blank)
    assert tuple(found.path.tolist()) == want
    assert abs(found.log_probability - math.log(probability)) <= 1e-9
    assert [label.symbol for label in found.labels] == labels
    for label in found.labels:
        assert (found.path[label.first : label.end] == label.symbol).all()
        assert label.first <= label.peak < label.end


@pytest.mark.parametrize(("frames", "labels", "blank"), CASES)
def test_occupancy_is_what_all_paths_say_together(frames: int, labels: list[int], blank: int) -> None:
    logs = some_logs(frames, 3, seed=frames)
    want = np.zeros((frames, 3))
    total = 0.0
    for path, probability in every_path(logs):
        if said_by(path, blank) == tuple(labels):
            total += probability
            want[np.arange(frames), list(path)] += probability
    found = occupancy(logs, np.array(labels, dtype=np.int64), blank)
    assert abs(found.log_probability - math.log(total)) <= 1e-9
    assert np.abs(found.symbols - want / total).max() <= 1e-9
    assert np.abs(found.places.sum(1) - 1).max() <= 1e-9


@pytest.mark.parametrize(("frames", "count"), [(61, 7), (33, 16), (130, 1), (20, 0)])
def test_occupancy_is_probability_minus_the_gradient_of_ctc(frames: int, count: int) -> None:
    generator = torch.Generator().manual_seed(frames)
    logits = torch.randn(frames, 1, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(1, 7, (1, count), generator=generator)
    logs = torch.log_softmax(logits, -1)
    loss = ctc_loss(logs, labels, torch.tensor([frames]), torch.tensor([count]), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, logits)
    found = occupancy(logs[:, 0].detach().numpy(), labels[0].numpy())
    assert abs(-found.log_probability - loss.item()) <= 1e-9
    want = logs.detach().exp() - gradient
    assert np.abs(found.symbols - want[:, 0].numpy()).max() <= 1e-9


def test_what_the_best_path_says_lies_where_it_says_it() -> None:
    logs = some_logs(61, 5, sharpness=8.0)
    said = best_path(logs)
    assert list(align(logs, np.array([label.symbol for label in said])).labels) == said


def test_frames_that_are_too_few_are_named() -> None:
    labels = np.array([1, 1, 2, 2, 2])
    for function in (align, occupancy):
        with pytest.raises(
            InputError, match=r"7 frames for 5 labels, 3 of them like the one before: expected at least 8"
        ):
            function(some_logs(7, 3), labels)
        function(some_logs(8, 3), labels)


def test_labels_that_cannot_be_said_are_refused() -> None:
    with np.errstate(divide="ignore"):
        never = np.log(np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]))
    for function in (align, occupancy):
        with pytest.raises(
            InputError, match="labels 0 to 1 with the blank 0; expected symbols below 3 other than the blank"
        ):
            function(some_logs(7, 3), np.array([0, 1]))
        with pytest.raises(InputError, match="labels 3 to 3 with the blank 0"):
            function(some_logs(7, 3), np.array([3]))
        with pytest.raises(InputError, match="probability 0"):
            function(never, np.array([2]))
