"""How large the examples are: a curriculum grows by steps or by what was mastered, and goes on where it stopped."""

from typing import Any

import pytest

from peephole.errors import InputError
from peephole.train.curriculum import Curriculum, SizedTraining


def curriculum(smallest: int = 1, largest: int = 100, **settings: Any) -> Curriculum:
    return Curriculum(SizedTraining(**{"steps": 20, **settings}), smallest, largest)


def test_without_one_examples_are_of_the_largest_size_from_the_first_step() -> None:
    plain = curriculum(curriculum="none", first_size=3)
    assert [plain.begin(step) for step in range(3)] == [100, 100, 100]


def test_by_steps_it_grows_evenly_over_half_of_them() -> None:
    growing = curriculum(curriculum="steps", first_size=10)
    assert [growing.begin(step) for step in range(12)] == [10, 19, 28, 37, 46, 55, 64, 73, 82, 91, 100, 100]
    assert curriculum(curriculum="steps", first_size=10, grow_over=3).begin(2) == 70


def test_it_never_begins_outside_of_what_there_is() -> None:
    assert curriculum(smallest=8, curriculum="steps", first_size=2).begin(0) == 8
    assert curriculum(largest=4, curriculum="mastery", first_size=50).begin(0) == 4


def test_by_mastery_it_grows_after_three_good_batches_in_a_row() -> None:
    growing = curriculum(curriculum="mastery", first_size=4)
    for share in (1.0, 1.0, 0.94, 1.0, 0.95):
        growing.hear(4, share)
        assert growing.begin(0) == 4
    growing.hear(4, 0.99)
    assert growing.begin(0) == 6
    for _ in range(5):
        growing.hear(3, 1.0)  # too small to show that 6 is mastered
    assert growing.begin(0) == 6
    for _ in range(60):
        growing.hear(growing.largest, 1.0)
    assert growing.begin(0) == 100


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"first_size": 0}, "--first-size is 0; expected more than 0"),
        ({"grow_over": 0}, "--grow-over is 0; expected more than 0"),
        ({"steps": None, "minutes": 1.0, "curriculum": "steps"}, "--curriculum steps grows over half of --steps"),
        ({"steps": 3, "minutes": 1.0}, "got 2 budgets (steps, minutes); give one of --steps or --minutes"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        SizedTraining(**settings)
    assert str(refused.value).startswith(said)
