"""What turns is said once, with its number; what is well, or was so from the start, is not."""

from typing import Any

import pytest

from peephole.train.watch.turning import Turns

WELL: dict[str, Any] = {
    "flow": {"layer 0": {"h": [1.0, 0.5, 0.004], "c": [1.0, 0.9, 0.5]}},
    "horizon": {"layer 0": {"h": 2, "c": 40}},
    "saturation": {"layer 0": {"i": [0.2, 0.2], "f": [0.0, 0.9]}},
    "dead": {"layer 0": 2},
    "units": {"layer 0": 40},
    "range": {"layer 0": {"h": [-0.9, 0.9], "c": [-20.0, 9.0]}},
    "update_ratio": {"w": 1e-3, "b": 2e-3},
    "clipped": 0.4,
}


def hear(*changes: dict[str, Any], every: int = 200) -> list[tuple[int, str]]:
    """What is said of looks that are well but for the changes."""
    turns = Turns(4e-3)
    said = []
    for number, change in enumerate(changes):
        rate = change.pop("rate", 4e-3)
        row = {"step": 1 + every * number, "learning_rate": rate, "watch": {**WELL, **change}}
        said += [(number, sentence) for sentence in turns.hear(row)]
    return said


def horizon(lag: int | None) -> dict[str, Any]:
    return {"horizon": {"layer 0": {"h": 2, "c": lag}}}


def gates(left: float, right: float) -> dict[str, Any]:
    return {"saturation": {"layer 0": {"i": [left, 0.0], "f": [0.01, right]}}}


def reaching(largest: float) -> dict[str, Any]:
    return {"range": {"layer 0": {"h": [-0.9, 0.9], "c": [-largest, 1.0]}}}


ILL: dict[str, tuple[dict[str, Any], str]] = {
    "gradients that grow": ({"flow": {"layer 1": {"h": [0.1, 1.0, 500.0]}}}, "of h in layer 1 grows 5e+03-fold"),
    "gates": (gates(0.97, 0.96), "(layer 0 97.0% of the time)"),
    "dead units": ({"dead": {"layer 0": 7}}, "7 of 40 units are dead, and 2 were"),
    "large updates": ({"update_ratio": {"w": 0.2, "b": 0.3, "c": 0.25}}, "by 25% of their size, where 0.1%"),
    "small updates": ({"update_ratio": {"w": 1e-7}}, "by 1e-07 of their size, where 0.001"),
    "clipping": ({"clipped": 0.99}, "99% of the last 200 steps were clipped"),
    "states": (reaching(1500.0), "states reach 1.5e+03, and 20 was usual"),
}


def test_a_healthy_training_says_nothing() -> None:
    assert hear(*[{} for _ in range(20)]) == []
    lags = (99, 14, 13, 20, 40, 28, 33, 25, 30)  # as a text model's went
    assert hear(*map(horizon, lags)) == []
    assert hear({}, {}, gates(0.5, 0.98), gates(0.7, 0.99)) == []  # remembering well
    assert hear({}, {}, reaching(200.0), reaching(400.0)) == []  # c counts


@pytest.mark.parametrize("name", ILL)
def test_it_is_said_once_when_it_turns(name: str) -> None:
    change, words = ILL[name]
    looks = [{}, {}, {}, *[dict(change) for _ in range(5)]]
    ((when, sentence),) = hear(*looks)
    assert when == 3
    assert words in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("name", ILL)
def test_it_is_said_again_only_after_it_had_been_well(name: str) -> None:
    change, _ = ILL[name]

    def times(well: int) -> list[int]:
        ill = [dict(change), *[{} for _ in range(well)], dict(change)]
        return [when for when, _ in hear({}, {}, {}, *ill)]

    assert times(1) == [3]
    assert times(2) == [3]
    assert times(3) == [3, 7]


@pytest.mark.parametrize("name", [name for name in ILL if name not in ("states", "dead units", "clipping")])
def test_what_is_so_from_the_first_look_on_has_not_turned(name: str) -> None:
    change, _ = ILL[name]
    assert hear(*[dict(change) for _ in range(6)]) == []


def test_a_horizon_that_collapses() -> None:
    lags = [None, 40, 44, 42, 30, 12, 9, 8, 7, 6, 6]
    ((when, sentence),) = hear(*map(horizon, lags))
    assert lags[when] == 8  # the median of 12, 9, 8 is under a quarter of that of 40, 44, 42
    assert "reach 9 steps back, and reached 42" in sentence
    assert "Hochreiter 1991" in sentence


def test_one_low_horizon_is_no_collapse() -> None:
    assert hear(*map(horizon, [40, 44, 42, 41, 2, 40, 43, 1, 44])) == []


def test_updates_are_small_where_the_schedule_makes_them_so() -> None:
    fading = [
        {"rate": 4e-3 * share, "update_ratio": {"w": 1e-3 * share}} for share in (1, 0.5, 0.1, 1e-2, 1e-3, 1e-7, 0)
    ]
    assert hear(*fading) == []


def test_a_few_steps_say_nothing_about_clipping() -> None:
    assert hear({}, {"clipped": 1.0}, every=10) == []


def test_rows_without_a_look_are_passed_over() -> None:
    turns = Turns(1.0)
    assert turns.hear({"step": 3, "divergence": 1.0}) == ()
    assert turns.hear({"step": 4, "watch": None}) == ()
    assert turns.hear({"step": 5, "watch": {}}) == ()


def test_numbers_that_are_not_finite_turn_nothing_and_break_nothing() -> None:
    gone: dict[str, Any] = {
        "flow": {"layer 0": {"h": [None, None], "c": [1.0, None]}},
        "saturation": {"layer 0": {"f": [None, None]}},
        "range": {"layer 0": {"h": [None, None]}},
        "update_ratio": {"w": None},
    }
    assert hear({}, {}, {}, gone, {}) == []
