"""`Speaking`: what a search asks of a decoder."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Speaking(Protocol):
    """A decoder that says several answers side by side, a symbol at a time.

    Log-probabilities are in nats. Those that a call gives are the caller's, to change as it likes.
    """

    @property
    def attention(self) -> Tensor | None:
        """Where the rows of the last call looked, `[rows, S]`, a new tensor each call; None where nothing looks."""
        ...

    def begin(self) -> Float[Tensor, "rows symbols"]:
        """Log-probabilities of the first symbol, a row for each source."""
        ...

    def step(self, parents: Int[Tensor, " next"], symbols: Int[Tensor, " next"]) -> Float[Tensor, "next symbols"]:
        """Log-probabilities of what follows, where row `parents[i]` of the last call goes on with `symbols[i]`."""
        ...
