"""What looks at a step's numbers as they are made, or puts others in their place."""

from collections.abc import Callable

from torch import Tensor

Passing = Callable[[str, Tensor], Tensor]
"""Takes the name of a quantity and its value `[B, ·]`, and gives the value that the step goes on with.

Names: a gate or candidate (`i`, `f`, `g`, `o`; `r`, `z`, `n`) after its activation, `z_` and that name before it, with
layer norm also `sum_` before that, and a state (`h`, `c`) as it is made: what is put in place of c is what the step's h
is made of.
"""


def unchanged(name: str, value: Tensor) -> Tensor:
    """The value itself."""
    return value
