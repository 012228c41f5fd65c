"""`NatsByPlace`: where in a piece the next step is hard to foresee."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLACES = 20  # equal parts of a piece, whatever its length


@dataclass(frozen=True)
class NatsByPlace:
    """Mean nats of the steps in each part of the pieces, from their beginnings to their ends.

    Attributes:
        nats: of each part, by what each net or method is called.
        steps: how many steps were measured in each part.
    """

    nats: dict[str, tuple[float, ...]]
    steps: tuple[int, ...]

    @classmethod
    def of(cls, nats: Mapping[str, Sequence[NDArray[np.floating]]], first: int = 1) -> "NatsByPlace":
        """From the nats `[T]` of each piece, without the `first` steps; parts without steps are NaN."""
        found: dict[str, tuple[float, ...]] = {}
        counts = np.zeros(PLACES)
        for name, pieces in nats.items():
            sums, counts = np.zeros(PLACES), np.zeros(PLACES)
            for piece in pieces:
                places = np.arange(len(piece)) * PLACES // max(1, len(piece))
                np.add.at(sums, places[first:], piece[first:].astype(np.float64))
                np.add.at(counts, places[first:], 1)
            found[name] = tuple(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).tolist())
        return cls(found, tuple(counts.astype(int).tolist()))

    @property
    def verdict(self) -> str:
        """Beginning, middle and end of the first of them."""
        name, nats = next(iter(self.nats.items()))
        values, weights = np.array(nats), np.array(self.steps)
        third = PLACES // 3
        said = []
        for part in (slice(0, third), slice(third, PLACES - third), slice(PLACES - third, PLACES)):
            here = weights[part] > 0
            mean = np.average(values[part][here], weights=weights[part][here]) if here.any() else float("nan")
            said.append(f"{mean:.3g}")
        return (
            f"{name} takes {said[0]} nats a step in the first third of a piece, {said[1]} then, {said[2]} at the end."
        )

    def plot(self, ax: "Axes") -> None:
        """Mean nats over the place in the piece, a line each."""
        places = (np.arange(PLACES) + 0.5) / PLACES
        for place, (name, nats) in enumerate(self.nats.items()):
            ax.plot(places, nats, color=f"C{place}", label=name, linewidth=1.8 if place == 0 else 1.2)
        ax.set(xlabel="place in the piece, from beginning to end", ylabel="nats a step", xlim=(0, 1))
        ax.legend()
