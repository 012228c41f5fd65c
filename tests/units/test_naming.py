"""Units by the names that people type."""

import pytest

from peephole.errors import InputError
from peephole.spec import CellSpec
from peephole.units.ablating import Place
from peephole.units.naming import named_units


def test_units_by_name() -> None:
    lstm = CellSpec("lstm")
    assert named_units(("0:3", "1:0:f", "0:3", "0:3:c"), lstm, 2, 4) == (
        (Place(0, "c"), 3),
        (Place(1, "f"), 0),
    )
    assert named_units(("0:1",), CellSpec("gru"), 1, 4) == ((Place(0, "h"), 1),)
    for name, said in (("3", "expected layer and unit"), ("2:0", "2 layers"), ("0:4", "4 units"), ("0:1:z", "i, f, g")):
        with pytest.raises(InputError, match=said):
            named_units((name,), lstm, 2, 4)
