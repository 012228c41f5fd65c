"""Whether a net is right as often as it says: on answers whose reliability is known."""

import numpy as np
import pytest

from peephole.tasks.examples.reliability import Reliability

pytest.importorskip("sklearn")


def test_answers_that_are_right_as_often_as_said() -> None:
    random = np.random.default_rng(0)
    said = random.uniform(0.1, 1.0, size=20_000)
    found = Reliability.of(said, random.uniform(size=20_000) < said)
    assert len(found.counts) == 9, "no answer is below a tenth"
    assert sum(found.counts) == 20_000
    assert np.abs(np.subtract(found.said, found.right)).max() <= 0.04
    assert found.error <= 0.02
    assert "as sure as it should be" in found.verdict


def test_answers_that_are_too_sure_or_too_careful() -> None:
    sure = Reliability.of([0.95] * 10, [True] * 6 + [False] * 4)
    assert abs(sure.error - 0.35) <= 1e-9
    assert sure.verdict == (
        "says 95.0% on average and is right in 60.0%: 35.0 points too sure; expected calibration error 35.0 points."
    )
    assert "10.0 points too careful" in Reliability.of([0.9] * 5, [True] * 5).verdict


def test_opposite_errors_of_two_bins_do_not_cancel() -> None:
    found = Reliability.of([0.95] * 10 + [0.55] * 10, [True] * 5 + [False] * 5 + [True] * 10)
    assert found.counts == (10, 10)
    assert abs(found.error - 0.45) <= 1e-9


def test_one_kind_of_answer_and_none() -> None:
    assert Reliability.of([1.0, np.nextafter(1.0, 2.0)], [False, False]).right == (0.0,)
    assert Reliability.of([], []).verdict == "no answer to judge."


def test_drawing() -> None:
    pytest.importorskip("matplotlib")
    from peephole.figures import draw

    figure = draw(Reliability.of([0.95, 0.55, 0.3], [True, True, False]).plot)
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("confidence", "share right")
