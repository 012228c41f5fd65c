"""Beam search of a language model: the likeliest continuations that a few streams find side by side."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peephole.errors import InputError
from peephole.generate.hypothesis import Hypothesis
from peephole.generate.search import search_all
from peephole.streams.rows import Rows
from peephole.streams.snapshot import Streaming


def search(
    model: Streaming,
    prime: Sequence[int],
    length: int,
    beams: int = 4,
    end: int | Sequence[int] | None = None,
    never: Sequence[int] = (),
    length_power: float = 0.0,
) -> list[Hypothesis]:
    """Up to `beams` continuations of `prime` (at least one symbol), at most `length` symbols each, the best first.

    A continuation ends with the symbol `end`, or one of several, which it holds; those that do not end stand among
    those that do. Of equals the one found first goes first.

    Raises:
        InputError: `beams` or `length` is below 1.
    """
    if beams < 1 or length < 1:
        raise InputError(f"beam search with {beams} beams of {length} symbols; expected at least 1 of each")
    steps = StreamSteps(model, prime)
    (found,) = search_all(steps, end, beams, length, length_power, never, ended_first=False)
    return list(found.hypotheses)


class StreamSteps:
    """Continuations of a prime by a model of symbols: `Speaking`, with one source and nothing to look at.

    States of streams are copied where continuations part, never computed again.
    """

    attention: Tensor | None = None

    def __init__(self, model: Streaming, prime: Sequence[int]) -> None:
        self._rows, self._prime = Rows(model.stream(0)), prime

    def begin(self) -> Float[Tensor, "rows symbols"]:
        """Log-probabilities of the first symbol, one row."""
        self._rows.begin(1)
        self._rows.stream.reset(self._rows.ids)
        return self._rows.stream.read(torch.tensor(self._prime)[:, None], self._rows.ids, last=True)

    def step(self, parents: Int[Tensor, " next"], symbols: Int[Tensor, " next"]) -> Float[Tensor, "next symbols"]:
        """Log-probabilities of what follows, where row `parents[i]` of the last call goes on with `symbols[i]`."""
        self._rows.part(parents)
        return self._rows.stream.step(symbols, self._rows.ids)
