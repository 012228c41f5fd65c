"""Regular expressions as properties, and those that cannot be used."""

import pytest

from peephole.errors import InputError
from peephole.units import matching
from peephole.units.patterns import matched, named_pattern
from peephole.units.properties import Text


def found(pattern: str, *texts: str) -> list[list[float]]:
    return [values.tolist() for values in matched(pattern, [Text.of(text, "prose") for text in texts])]


def test_one_inside_a_match() -> None:
    assert found(r"b+", "abba", "b") == [[0, 1, 1, 0], [1]]
    assert found(r"^b$", "a\nb\nab") == [[0, 0, 1, 0, 0, 0]]
    assert found(r"(?s)a.*", "ba␄ba") == [[0, 1, 0, 0, 1]]  # documents are texts of their own
    assert found(r"x*", "ab") == [[0, 0]]
    assert found("é𝄞", "aé𝄞\ud800") == [[0, 1, 1, 0]]


def test_names() -> None:
    assert named_pattern(r"\d+") == (r"\d+", r"\d+")
    assert named_pattern("numbers=[0-9]+") == ("numbers", "[0-9]+")
    assert named_pattern("=a=b") == ("a=b", "a=b")
    assert named_pattern("(a)=b") == ("(a)=b", "(a)=b")


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "(?P<a", r"\p{L}", "a**"])
def test_what_is_no_expression_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="is no regular expression") as caught:
        found(pattern, "abc")
    assert "\n" not in str(caught.value)


def test_an_expression_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "LIMIT", 1.0)
    with pytest.raises(InputError, match="does not come to an end within 1 seconds"):
        found(r"(a+)+$", "a" * 60 + "b")
