"""Pictures of what a net sees: where it looked as it said each word, and which pictures are alike to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int64, UInt8
from numpy.typing import NDArray
from torch import Tensor

from peephole.tasks.captioning.answer import Caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 6  # panels side by side
GAP = 0.06  # between panels, as a share of their side
DIM = 0.35  # brightness of a place that nothing looked at
LETTERS = 22  # of a line under a panel


@dataclass(frozen=True, eq=False)
class Looked:
    """A picture, a caption of it, and where the net looked.

    Attributes:
        picture: `[size, size, 3]`.
        caption: with its attention.
        reference: what people say of it.
    """

    picture: UInt8[np.ndarray, "size size 3"]
    caption: Caption
    reference: str

    @property
    def spread(self) -> tuple[float, ...]:
        """Of each word, how many places it looked at: e to the entropy of its weights."""
        if self.caption.attention is None:
            return ()
        weights = self.caption.attention.flatten(1).double().numpy()
        logs = np.log(np.maximum(weights, 1e-300))
        return tuple(np.exp(-(weights * logs).sum(1)).tolist())

    @property
    def verdict(self) -> str:
        """What was said, beside what people say, and how sharply it looked."""
        text = f"said “{self.caption.text}”, a person “{self.reference}”"
        if not self.spread:
            return f"{text}."
        assert self.caption.attention is not None
        places = self.caption.attention[0].numel()
        sharpest = int(np.argmin(self.spread))
        return (
            f"{text}; of {places} places it looked at {np.mean(self.spread):.1f} a word, at the fewest for "
            f"“{self.caption.words[sharpest]}” ({self.spread[sharpest]:.1f})."
        )

    def plot(self, ax: "Axes") -> None:
        """The picture, then once a word, bright where the net looked."""
        panels = [self.picture / 255]
        labels = ["picture"]
        attention = self.caption.attention
        if attention is not None:
            panels += [_lit(self.picture, grid.double().numpy()) for grid in attention]
            labels += list(self.caption.words)
        _tiles(ax, panels, labels)


@dataclass(frozen=True, eq=False)
class Alike:
    """Pictures, and beside each those that the encoder makes most nearly the same of.

    Attributes:
        pictures: `[rows, columns, size, size, 3]`, the first of a row the one that is asked about.
        shared: of a row, the share of the words of the asked picture's captions that those beside it have, on average;
            the same of pictures drawn at random.
    """

    pictures: UInt8[np.ndarray, "rows columns size size 3"]
    shared: tuple[float, float]

    @classmethod
    def of(
        cls,
        pictures: UInt8[np.ndarray, "pictures size size 3"],
        summaries: Float[Tensor, "pictures features"],
        words: Sequence[frozenset[str]],
        rows: int = 4,
        columns: int = COLUMNS,
    ) -> "Alike":
        """Of some pictures with their summaries and the words of their captions, by the cosine of their summaries."""
        vectors = summaries - summaries.mean(0)
        vectors = vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)
        products = (vectors @ vectors.t()).fill_diagonal_(-2)
        columns = min(columns, len(pictures))
        nearest = products.topk(columns - 1).indices.numpy() if columns > 1 else np.empty((len(pictures), 0), np.int64)
        asked = np.unique(np.linspace(0, len(pictures) - 1, min(rows, len(pictures))).astype(np.int64))
        chosen = np.concatenate([asked[:, None], nearest[asked]], 1)
        drawn = np.random.default_rng(0).integers(0, len(pictures), nearest.shape)
        return cls(pictures[chosen], (_shared(words, nearest), _shared(words, drawn)))

    @property
    def verdict(self) -> str:
        """How much more of what people say is the same of pictures that are alike to it."""
        near, far = self.shared
        return (
            f"pictures that are most alike to the encoder share {near:.1%} of the words of their captions, others "
            f"{far:.1%}."
        )

    def plot(self, ax: "Axes") -> None:
        """A row a picture: itself, then those most alike."""
        rows, columns = self.pictures.shape[:2]
        panels = [self.pictures[row, column] / 255 for row in range(rows) for column in range(columns)]
        labels = ["asked" if not column else "" for _ in range(rows) for column in range(columns)]
        _tiles(ax, panels, labels, columns)


def _shared(words: Sequence[frozenset[str]], others: Int64[np.ndarray, "pictures others"]) -> float:
    """The mean over pairs of the words of one that the other has too, as a share of all words of both."""
    found = [
        len(words[one] & words[other]) / max(1, len(words[one] | words[other]))
        for one, row in enumerate(others.tolist())
        for other in row
    ]
    return float(np.mean(found)) if found else float("nan")


def _lit(picture: NDArray[np.uint8], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The picture, dim where the net did not look; squares of the grid run into each other."""
    from scipy.ndimage import zoom

    size = len(picture)
    scaled = grid / max(float(grid.max()), 1e-12)
    light = np.asarray(zoom(scaled, size / len(grid), order=1, mode="nearest", grid_mode=True), np.float64)
    return picture / 255 * (DIM + (1 - DIM) * np.clip(light, 0, 1)[..., None])


def _tiles(ax: "Axes", panels: Sequence[NDArray[np.floating]], labels: Sequence[str], columns: int = COLUMNS) -> None:
    """Panels row by row, each a square of side 1 with its label below."""
    rows, columns = -(-len(panels) // columns), min(columns, len(panels))
    high = 1.28 if any(labels) else 1 + GAP
    for number, (panel, label) in enumerate(zip(panels, labels, strict=True)):
        left, top = (number % columns) * (1 + GAP), (number // columns) * high
        ax.imshow(panel, extent=(left, left + 1, top + 1, top), interpolation="nearest")
        text = label if len(label) <= LETTERS else label[: LETTERS - 1] + "…"
        ax.text(left + 0.5, top + 1.04, text, ha="center", va="top", fontsize=8, parse_math=False)
    ax.set(xlim=(0, columns * (1 + GAP) - GAP), ylim=(rows * high, 0), xticks=[], yticks=[], aspect="equal")
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
