"""`PianoRoll`: a piece as a picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from peephole.data.music.piece import LOWEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = 128  # steps that can be told apart on one figure
NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def name_of(pitch: int) -> str:
    """What people call a MIDI pitch: 60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


@dataclass(frozen=True, eq=False)
class PianoRoll:
    """What sounds over time, on what a net held for likely.

    Attributes:
        notes: which keys sound, `[T, 88]`.
        shares: how likely each was, `[T, 88]`; None where nothing is known of it.
        primed: steps at the beginning that were given.
        name: what it is, for the verdict.
    """

    notes: Bool[np.ndarray, "steps keys"]
    shares: Float[np.ndarray, "steps keys"] | None = None
    primed: int = 0
    name: str = "a piece"

    @property
    def verdict(self) -> str:
        """How much sounds, and how well it was foreseen."""
        steps, count = len(self.notes), int(self.notes.sum())
        if not count:
            return f"{self.name}: {steps:,} steps, no note sounds."
        keys = np.flatnonzero(self.notes.any(0)) + LOWEST
        text = (
            f"{self.name}: {steps:,} steps, {count / steps:.2f} notes at a time from {name_of(int(keys[0]))} to "
            f"{name_of(int(keys[-1]))}"
        )
        if self.shares is None:
            return f"{text}."
        sounding = float(self.shares[self.notes].mean())
        return f"{text}; notes that sound had been given {sounding:.0%} on average."

    def plot(self, ax: "Axes") -> None:
        """Keys over steps: notes that sound as outlines, how likely each key was as shades behind; the beginning."""
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Rectangle

        notes = self.notes[:DRAWN]
        keys = np.flatnonzero(notes.any(0))
        low, high = (int(keys[0]), int(keys[-1])) if len(keys) else (39, 51)
        bottom, top = LOWEST + low - 2.5, LOWEST + high + 2.5
        if self.shares is not None:
            shares = self.shares[:DRAWN]
            extent = (-0.5, len(notes) - 0.5, LOWEST - 0.5, LOWEST + shares.shape[1] - 0.5)
            image = ax.imshow(
                shares.T, origin="lower", aspect="auto", extent=extent, vmin=0.0, vmax=1.0, cmap="Greys",
                interpolation="nearest",
            )  # fmt: skip
            figure = ax.get_figure()
            if figure is not None:
                figure.colorbar(image, ax=ax, label="probability, given the steps before")
        bars = [Rectangle((start - 0.5, key + LOWEST - 0.35), end - start, 0.7) for key, start, end in held(notes)]
        filled = self.shares is None
        ax.add_collection(
            PatchCollection(bars, facecolor="C0" if filled else "none", edgecolor="C0" if filled else "C1", linewidth=1)
        )
        if 0 < self.primed < len(notes):
            ax.axvline(self.primed - 0.5, color="0.4", linestyle=":")
            ax.annotate("from here on drawn", (self.primed, 1.0), xycoords=("data", "axes fraction"), va="bottom")
        octaves = [pitch for pitch in range(LOWEST, LOWEST + self.notes.shape[1]) if pitch % 12 == 0]
        ax.set_yticks(octaves, [name_of(pitch) for pitch in octaves])
        ax.set(xlabel="step", xlim=(-0.5, len(notes) - 0.5), ylim=(bottom, top))


def held(notes: Bool[np.ndarray, "steps keys"]) -> list[tuple[int, int, int]]:
    """Notes that are held, each (key, first step, step after the last)."""
    edges = np.diff(np.pad(notes.astype(np.int8), ((1, 1), (0, 0))), axis=0)
    found: list[tuple[int, int, int]] = []
    for key in np.flatnonzero(notes.any(0)).tolist():
        starts, ends = np.flatnonzero(edges[:, key] == 1), np.flatnonzero(edges[:, key] == -1)
        found += [(key, int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
    return found
