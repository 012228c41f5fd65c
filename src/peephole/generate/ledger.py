"""`Ledger`: which symbol came after which, of all hypotheses of a search."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.generate.hypothesis import Fate, Node

KEPT, ENDED, PRUNED = range(3)
FATES: tuple[Fate, ...] = ("kept", "ended", "pruned")


class Ledger:
    """Nodes, numbered as they come, each with the node before it; and where the decoder looked at each step."""

    def __init__(self) -> None:
        self._count = 0
        self._steps: list[tuple[NDArray[np.generic], ...]] = []
        self._looked: list[Tensor] = []
        self._joined: tuple[NDArray[np.generic], ...] | None = None

    def look(self, attention: Tensor | None) -> None:
        """Where the rows of a step looked, `[rows, S]`, before what they say next is added."""
        if attention is not None:
            self._looked.append(attention)

    def add(
        self,
        parents: NDArray[np.int64],
        rows: NDArray[np.int64],
        symbols: NDArray[np.int64],
        totals: NDArray[np.float64],
        sources: NDArray[np.int64],
        fates: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """One step's nodes, each said by one of the decoder's rows; their numbers."""
        self._steps.append((parents, rows, symbols, totals, sources, fates))
        self._joined = None
        self._count += len(parents)
        return np.arange(self._count - len(parents), self._count)

    def said(self, node: int) -> tuple[tuple[int, ...], Tensor | None]:
        """The symbols up to a node, and where the decoder looked as it said them, `[U, S]`."""
        parents, rows, symbols, *_ = self._columns()
        path: list[int] = []
        while node >= 0:
            path.append(node)
            node = int(parents[node])
        path.reverse()
        spoken = tuple(int(symbols[each]) for each in path)
        if not self._looked or not path:
            return spoken, None
        return spoken, torch.stack([self._looked[step][int(rows[each])] for step, each in enumerate(path)])

    def tree(self, source: int) -> tuple[Node, ...]:
        """The nodes of one source, numbered anew."""
        parents, _, symbols, totals, sources, fates = self._columns()
        numbers = np.flatnonzero(sources == source)
        anew = {int(number): place for place, number in enumerate(numbers)}
        return tuple(
            Node(int(symbols[node]), float(totals[node]), anew.get(int(parents[node]), -1), FATES[int(fates[node])])
            for node in numbers
        )

    def _columns(self) -> tuple[NDArray[np.generic], ...]:
        if self._joined is None:
            self._joined = tuple(np.concatenate(column) for column in zip(*self._steps, strict=True))
        return self._joined
