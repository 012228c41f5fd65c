"""Each instruction set of this processor in turn."""

from collections.abc import Iterator

import pytest

from peephole._native import instructions


@pytest.fixture(params=instructions.supported())
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    with instructions.using(request.param):
        yield request.param
