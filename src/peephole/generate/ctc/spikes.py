"""`Spikes`: where in the sound a net with CTC says what."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from peephole.generate.ctc.best_path import Label, best_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOW, HIGH = -0.62, -0.14  # where probabilities are drawn: below the sound, which has 0 to 1
NAMED = -0.07  # height of the labels' names
DRAWN = 0.05  # symbols that are never likelier have no curve
SPACE = "␣"
CROWDED = 14  # longer names than letters stand upright when there are more of them


@dataclass(frozen=True, eq=False)
class Spikes:
    """The sound, how likely each label is while it lasts, and what comes out.

    Attributes:
        frames: the sound as a spectrogram or the like, `[T, bands]`.
        shares: probabilities of the symbols, `[T', V]`; a net may take several frames for an output.
        names: what each symbol is called, `[V]`; the blank's is not shown.
        frame_seconds, output_seconds: from one frame to the next, from one output to the next.
        heard: the text that was decoded.
        said: the text that is right; None where it is not known.
        blank: its symbol.
    """

    frames: Float[np.ndarray, "frames bands"]
    shares: Float[np.ndarray, "outputs symbols"]
    names: tuple[str, ...]
    frame_seconds: float
    output_seconds: float
    heard: str
    said: str | None = None
    blank: int = 0

    @property
    def labels(self) -> list[Label]:
        """Those of the best path, which the spikes are."""
        with np.errstate(divide="ignore"):
            return best_path(np.log(self.shares), self.blank)

    @property
    def verdict(self) -> str:
        """What was heard for what, and where the labels lie."""
        of = "" if self.said is None else " as it was said" if self.said == self.heard else f" for “{self.said}”"
        labels = self.labels
        if not labels:
            return f"“{self.heard}” heard{of}; the blank is the likeliest symbol throughout."
        first, last = (1000 * self.output_seconds * label.peak for label in (labels[0], labels[-1]))
        silent = float((self.shares.argmax(1) == self.blank).mean())
        return (
            f"“{self.heard}” heard{of}: {len(labels)} label{'s' * (len(labels) != 1)} with their peaks from "
            f"{first:.0f} to {last:.0f} ms; the blank is the likeliest symbol {silent:.0%} of the time."
        )

    def plot(self, ax: "Axes") -> None:
        """The sound above, probabilities of the labels below, over seconds."""
        seconds = len(self.frames) * self.frame_seconds
        ax.imshow(
            self.frames.T, origin="lower", aspect="auto", extent=(0.0, seconds, 0.0, 1.0), cmap="Greys",
            interpolation="nearest",
        )  # fmt: skip
        times = (np.arange(len(self.shares)) + 0.5) * self.output_seconds
        labels = self.labels
        colours = {symbol: f"C{place % 7}" for place, symbol in enumerate(dict.fromkeys(one.symbol for one in labels))}
        for symbol in range(self.shares.shape[1]):
            share = self.shares[:, symbol]
            if symbol != self.blank and share.max(initial=0.0) >= DRAWN:
                heights = LOW + (HIGH - LOW) * share
                ax.fill_between(times, LOW, heights, color=colours.get(symbol, "0.6"), alpha=0.6, linewidth=0.8)
        blank = LOW + (HIGH - LOW) * self.shares[:, self.blank]
        ax.plot(times, blank, color="0.55", linewidth=0.8, linestyle=":")
        upright = len(labels) > CROWDED and max(len(self.names[label.symbol]) for label in labels) > 2
        for label in labels:
            name = self.names[label.symbol]
            ax.text(
                times[label.peak], NAMED, SPACE if name == " " else name.strip(), ha="center", va="center",
                rotation=90 if upright else 0, fontsize="small", clip_on=True, parse_math=False,
            )  # fmt: skip
        ax.set_yticks([LOW, HIGH, 0.5], ["0", "1", "sound"])
        ax.set_ylabel("probability\n(dotted: blank)", loc="bottom")
        ax.set(xlabel="seconds", xlim=(0.0, seconds), ylim=(LOW, 1.0))
