"""Which units are shown: those that follow what can be seen in the text."""

import numpy as np
import pytest
import torch

from peephole.errors import InputError
from peephole.report.reading import Reading
from peephole.report.telling import PROPERTIES, named_units, properties_of, telling_units

TEXT = 'def f(a, b):\n    return "x(y" + [1, {2: "Z"}]\n' * 8


def reading_of(text: str, units: torch.Tensor) -> Reading:
    bits = np.full((len(text), 1), 2.0)
    bits[0] = np.nan
    return Reading((tuple(text),), bits, (units,), ("layer 0",), "h")


def test_properties_are_what_they_are_called() -> None:
    seen = properties_of(reading_of('a "B\n  c[1', torch.zeros(10, 1, 1)))
    columns = dict(zip(PROPERTIES, seen.T.tolist(), strict=True))
    assert columns["whether the text is inside double quotes"] == [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    assert columns["how deep in brackets the text is"] == [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert columns["how far in the line the character is"] == [1, 2, 3, 4, 0, 1, 2, 3, 4, 5]
    assert columns["how far in the word the character is"] == [1, 0, 0, 1, 0, 0, 0, 1, 0, 1]
    assert columns["how far the line is indented"] == [0, 0, 0, 0, 0, 1, 2, 2, 2, 2]
    assert columns["whether the character is a capital letter"] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert columns["whether the character is a digit"] == [0] * 9 + [1]
    assert columns["how unexpected the character was, in bits"] == [0] + [2] * 9


def test_the_unit_that_follows_a_property_is_found_among_many() -> None:
    torch.manual_seed(0)
    units = 0.1 * torch.randn(len(TEXT), 1, 40_000)  # more than are looked at at a time
    seen = properties_of(reading_of(TEXT, units))
    units[:, 0, 33_333] = torch.from_numpy(1.0 - 2.0 * seen[:, 0])  # the other way round counts as well
    units[:, 0, 7] = torch.from_numpy(seen[:, 2]) / 30
    units[:, 0, 8] = 0.0  # does not move
    found = telling_units(reading_of(TEXT, units))
    assert found[0].explained == pytest.approx(1.0)
    assert {found[0].unit, found[1].unit} == {33_333, 7}
    assert {one.why for one in found[:2]} == {f"follows {PROPERTIES[0]}", f"follows {PROPERTIES[2]}"}
    assert len(found) == 8 or all(one.explained is None for one in found[2:])


def test_units_that_are_asked_for() -> None:
    assert [one.name for one in named_units(("0:3", "1:0", "0:3"), 2, 4)] == ["0:3", "1:0"]
    for name, said in (("3", "expected layer and unit"), ("2:0", "layers"), ("1:4", "has 4 units"), ("-1:0", "layer")):
        with pytest.raises(InputError, match=said):
            named_units((name,), 2, 4)
