"""Findings are ranked by what they cost, those that another explains after all others, symptoms last."""

import math

import pytest

from peephole.doctor.diagnosis import Diagnosis
from peephole.doctor.finding import CAUSES, SYMPTOMS, Cure, Evidence, Finding
from peephole.doctor.measuring.level import Level
from peephole.doctor.ranking import EXPLAINS, ranked


def finding(name: str, cost: float, confidence: float = 0.9) -> Finding:
    return Finding(name, cost, confidence, "This was measured.", {}, "Thus.", Cure("Do this."))


def test_cost_times_confidence_decides() -> None:
    found = ranked([finding("dead ReLU units", 0.9, 0.5), finding("gates stuck", 0.6, 0.9)])
    assert [one.name for one in found] == ["gates stuck", "dead ReLU units"]


def test_what_another_explains_comes_after_and_says_so() -> None:
    sick = [
        finding("saturated activations", 1.0, 1.0),
        finding("inputs not normalised", 0.5),
        finding("dead ReLU units", 0.1),
        finding("oscillation", 1.0, 1.0),
    ]
    found = ranked(sick)
    assert [(one.name, one.follows) for one in found] == [
        ("inputs not normalised", ""),
        ("saturated activations", "inputs not normalised"),
        ("dead ReLU units", "inputs not normalised"),
        ("oscillation", ""),
    ]


def test_what_is_hardly_sure_explains_nothing_that_is() -> None:
    found = ranked([finding("saturated activations", 0.6), finding("inputs not normalised", 1.0, 0.3)])
    assert [one.follows for one in found] == ["", ""]
    assert found[0].name == "saturated activations"


def test_every_explanation_is_of_a_cause_that_there_is() -> None:
    for cause, others in EXPLAINS.items():
        assert cause in CAUSES
        assert set(others) <= set(CAUSES) - {cause}


def test_no_two_causes_explain_each_other() -> None:
    for cause, others in EXPLAINS.items():
        for other in others:
            assert cause not in EXPLAINS.get(other, ()) or "not a number" in (cause, other), (cause, other)


@pytest.mark.parametrize(("repair", "first"), [("finite inputs", "not a number"), ("", "learning rate too high")])
def test_a_number_that_was_not_finite_in_the_data_explains_and_else_is_explained(repair: str, first: str) -> None:
    born = Finding("not a number", 1.0, 0.95, "There.", {}, "Thus.", Cure("Do this.", {}, repair))
    found = ranked([finding("learning rate too high", 0.9), born])
    assert [found[0].name, found[1].follows] == [first, first]


@pytest.mark.parametrize("number", [-0.1, 1.1, math.nan])
def test_shares_are_shares(number: float) -> None:
    with pytest.raises(ValueError, match="expected 0 to 1"):
        finding("gates stuck", number)
    with pytest.raises(ValueError, match="no finding that the doctor knows"):
        finding("bad luck", 0.5)


@pytest.mark.parametrize(
    ("values", "line"),
    [((1.0, 2.0, 3.0), "▁▄█"), ((1.0, math.nan, 1.0), "▁×▁"), ((math.inf,), "×"), ((), ""), ((5.0,), "▁")],
)
def test_a_curve_as_a_word(values: tuple[float, ...], line: str) -> None:
    shown = Evidence("flow", tuple(map(float, range(len(values)))), values, "lag", "norm").sparkline
    assert shown == line or (line == "▁▄█" and shown in ("▁▅█", "▁▄█"))


def test_a_long_curve_is_thinned_and_a_logarithmic_one_shows_its_small_end() -> None:
    values = tuple(10.0**-power for power in range(200))
    shown = Evidence("flow", tuple(map(float, range(200))), values, "lag", "norm", logarithmic=True).sparkline
    assert len(shown) == 24
    assert shown[0] == "█"
    assert shown[2] not in "▁█"


def test_a_diagnosis_says_what_to_do_first() -> None:
    level = Level(1.0, 1.2, 2.0)
    well = Diagnosis((finding("gates stuck", 0.5, 0.2),), level)
    assert well.first is None
    assert well.verdict == "Nothing was found that keeps this net from learning."
    sick = Diagnosis(ranked([finding("gates stuck", 0.5), finding(SYMPTOMS[0], 0.5)]), level)
    assert sick.first is not None
    assert sick.verdict == "Gates stuck (high confidence): This was measured. Do this."
    assert sick.as_dict()["findings"][0]["level"] == "high"
    assert level.learnt == 0.5
    assert level.learnt_held_out == pytest.approx(0.4)
