"""`AttentionMatrix`: where a decoder looked in the source as it said each word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from peephole.errors import InputError
from peephole.generate.hypothesis import Hypothesis
from peephole.tasks.rank_correlation import LEAST, rank_correlation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = 50  # words of each side that can be read on one figure


@dataclass(frozen=True, eq=False)
class AttentionMatrix:
    """Weights of attention, as in the figures of Bahdanau, Cho and Bengio (2015).

    Attributes:
        source: words of the source.
        target: words that were said.
        weights: `[target, source]`; each row sums to 1.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: Float[np.ndarray, "target source"]

    @classmethod
    def of(cls, answer: Hypothesis, source: Sequence[str], words: Sequence[str]) -> "AttentionMatrix":
        """Of an answer to `source`, and the words of its symbols; places behind the source's end are cut off.

        Raises:
            InputError: the decoder has no attention.
        """
        if answer.attention is None:
            raise InputError("this decoder has no attention; there is nothing to look at")
        return cls(tuple(source), tuple(words), answer.attention[:, : len(source)].float().cpu().numpy())

    @property
    def width(self) -> float:
        """How many words of the source it looks at in one step: the mean of exp(entropy); NaN of nothing."""
        if not self.weights.size:
            return float("nan")
        logs = np.log(self.weights, out=np.zeros(self.weights.shape), where=self.weights > 0)
        return float(np.exp(-(self.weights * logs).sum(1)).mean())

    @property
    def order(self) -> float:
        """Rank correlation (Spearman) of the mean place that it looks at with the step.

        1 is left to right; NaN where it looks at one place all the time, or says less than three words.
        """
        places = self.weights @ np.arange(len(self.source))
        if len(places) < LEAST:
            return float("nan")
        return rank_correlation(places.tolist(), range(len(places)), resamples=1).value

    @property
    def verdict(self) -> str:
        """How sharply it looks, and in which order."""
        if not self.weights.size:
            return "nothing was said, or there was nothing to look at."
        of = f"looks at {self.width:.1f} of {len(self.source)} words at a time (exp of the entropy, mean of the steps)"
        order = self.order
        if np.isnan(order):
            return f"{of}."
        way = (
            "from left to right" if order > 0.8 else "from right to left" if order < -0.8 else "in an order of its own"
        )
        return f"{of}, {way} (rank correlation of place and step {order:.2f})."

    def plot(self, ax: "Axes") -> None:
        """Words said (rows) over words of the source (columns), the lighter the more it looked there."""
        weights = self.weights[:DRAWN, :DRAWN]
        rows, columns = weights.shape
        image = ax.imshow(weights, vmin=0.0, aspect="auto", interpolation="nearest")
        for axis, words, turned in ((ax.xaxis, self.source[:columns], 60), (ax.yaxis, self.target[:rows], 0)):
            small = 8 if len(words) <= 20 else 6 if len(words) <= 35 else 5
            # ends of turned words stand under their columns; a dollar is a dollar
            turning = {"rotation": turned, "ha": "right", "rotation_mode": "anchor"} if turned else {}
            axis.set_ticks(range(len(words)), words, fontsize=small, parse_math=False, **turning)
        ax.tick_params(length=0)
        left = max(len(self.source) - columns, len(self.target) - rows)
        title = f"the first {DRAWN} words" if left else ""
        ax.set(xlabel="source", ylabel="said", title=title)
        figure = ax.get_figure()
        if figure is not None:
            figure.colorbar(image, ax=ax, label="weight")
