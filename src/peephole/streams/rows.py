"""`Rows`: the rows of a search, each a stream, that part and end from step to step."""

import torch
from jaxtyping import Int
from torch import Tensor

from peephole.streams.stream import Stream


class Rows:
    """Streams over one model of which some go on, several times each, and others no longer.

    Where rows part, states are copied; streams of rows that ended are taken again for others.

    Attributes:
        ids: the stream of each row, `[rows]`.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.ids: Tensor = torch.empty(0, dtype=torch.int64)
        self._spare = torch.empty(0, dtype=torch.int64)

    def begin(self, count: int) -> None:
        """So many rows in place of those before, in whatever state their streams are."""
        self._spare = torch.cat([self._spare, self.ids])
        self.ids = self._taken(count)

    def part(self, parents: Int[Tensor, " next"]) -> bool:
        """Row i goes on from what row `parents[i]` was; false where each goes on from itself."""
        if torch.equal(parents, torch.arange(len(self.ids))):
            return False
        chosen = self._taken(len(parents))
        self.stream.copy(self.ids[parents], chosen)
        self._spare, self.ids = torch.cat([self._spare, self.ids]), chosen
        return True

    def _taken(self, count: int) -> Tensor:
        missing = count - len(self._spare)
        if missing > 0:
            self._spare = torch.cat([self._spare, self.stream.join(missing)])
        taken, self._spare = self._spare[:count], self._spare[count:]
        return taken
