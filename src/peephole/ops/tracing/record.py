"""What one layer and direction of one call shows, piece by piece as it becomes known."""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from peephole.operands import Selection
from peephole.ops.tracing.contributions import Contributions

Later = Callable[[], Tensor]
"""Gives `[steps, rows, units]`: read when somebody asks, from memory that is held anyway."""


@dataclass
class Record:
    """Values and gradients by name, each a list of (first step, piece `[T, B, units]`) in whatever order they came.

    Names of values: gates, states, and with `preactivations` `z_` and the gate's name; of gradients: states. Past a
    row's end they mean nothing.
    `contributions` are the norms of each step's part of the weights' gradients. `by` says who
    showed it, `source` on whose behalf, where it is not the net itself. `embedding` `[V, I]` is
    what symbols stand for where it was multiplied into the input weights beforehand.
    """

    wanted: Selection
    preactivations: bool = False
    gradients: bool = True
    by: str = ""
    source: str = ""
    embedding: Tensor | None = None
    values: dict[str, list[tuple[int, Tensor | Later]]] = field(default_factory=dict)
    dstates: dict[str, list[tuple[int, Tensor]]] = field(default_factory=dict)
    contributions: list[tuple[int, Contributions | Callable[[], Contributions]]] = field(default_factory=list)
    unfinished: list[Callable[[], None]] = field(default_factory=list)

    def shows(self, names: Mapping[str, Tensor | Later], start: int = 0) -> None:
        """Values of the steps from `start` on."""
        for name, value in names.items():
            self.values.setdefault(name, []).append((start, value))

    def shows_gradients(self, names: Mapping[str, Tensor], start: int = 0) -> None:
        """Gradients of the states of the steps from `start` on."""
        for name, value in names.items():
            self.dstates.setdefault(name, []).append((start, value))

    def piece(self, start: int, stop: int) -> "Piece":
        """The same record for the steps `start` … `stop` - 1."""
        return Piece(weakref.ref(self), start, self.wanted.within(start, stop))

    def value(self, name: str) -> Tensor:
        """All that is wanted of a value, read now."""
        pieces = [(start, piece() if callable(piece) else piece) for start, piece in self.values[name]]
        whole = joined(pieces)
        self.values[name] = [(0, whole)]
        return whole

    def gradient(self, name: str) -> Tensor:
        """All that is wanted of a state's gradient; a second backward is added to the first."""
        self.finish()
        return summed(self.dstates[name])

    def contributed(self) -> dict[str, Tensor]:
        """‖·‖ of each wanted step's part of the weights' gradients; those of several backwards are added."""
        self.finish()
        found = [(start, one() if callable(one) else one) for start, one in self.contributions]
        self.contributions = [(start, one) for start, one in found]
        names = found[0][1].norms if found else ()
        return {name: summed([(start, one.norms[name]) for start, one in found]) for name in names}

    def finish(self) -> None:
        """Work that waited for the end of the backward."""
        waiting, self.unfinished = self.unfinished, []
        for one in waiting:
            one()


@dataclass(frozen=True, eq=False)
class Piece:
    """A record as one piece of the sequence sees it: `wanted` counts from the piece's first step, which is `start`.

    It does not keep the record alive: a graph holds pieces for its backward, and a record may hold what leads back to
    the graph, so that neither would ever go.
    """

    of: weakref.ref[Record]
    start: int
    wanted: Selection

    @property
    def record(self) -> Record:
        """The record, while there is one."""
        found = self.of()
        assert found is not None, "the record is gone"
        return found

    @property
    def wants_gradients(self) -> bool:
        """Whether somebody is still there to whom a backward is to be shown."""
        found = self.of()
        return found is not None and found.gradients

    @property
    def empty(self) -> bool:
        """Whether nothing of this piece is wanted."""
        return self.wanted.steps is not None and not len(self.wanted.steps)

    def piece(self, start: int, stop: int) -> "Piece":
        """A piece of it, by steps counted from its first."""
        return Piece(self.of, self.start + start, self.wanted.within(start, stop))

    def shows(self, names: Mapping[str, Tensor | Later]) -> None:
        """Values of its steps."""
        self.record.shows(names, self.start)

    def shows_gradients(self, names: Mapping[str, Tensor]) -> None:
        """Gradients of the states of its steps."""
        self.record.shows_gradients(names, self.start)

    def adds(self, find: Callable[[], Contributions], at_once: bool = False) -> None:
        """Contributions of its steps, found when somebody asks; with a filter at once, and the wanted ones alone."""
        if self.record.wanted.everything and not at_once:
            self.record.contributions.append((self.start, find))
            return
        found, steps = find(), self.wanted.steps
        norms = found.norms if steps is None else {name: norm[steps] for name, norm in found.norms.items()}
        self.record.contributions.append((self.start, Contributions(norms)))


def joined(pieces: list[tuple[int, Tensor]]) -> Tensor:
    """Pieces along the steps in their order."""
    ordered = [piece for _, piece in sorted(pieces, key=lambda each: each[0])]
    return ordered[0] if len(ordered) == 1 else torch.cat(ordered)


def summed(pieces: list[tuple[int, Tensor]]) -> Tensor:
    """Pieces in their order, those of the same steps added up."""
    by_start: dict[int, Tensor] = {}
    for start, piece in pieces:
        by_start[start] = by_start[start] + piece if start in by_start else piece
    return joined(list(by_start.items()))
