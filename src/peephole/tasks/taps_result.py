"""What a study of taps found: lags by number of taps, beside gated nets."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from peephole.tasks.lags import GROWTH, SolvedLag
from peephole.tasks.starts import Start
from peephole.train.budget import Budget

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("C0", "C2", "C4")
RESAMPLES = 2000


@dataclass(frozen=True)
class TapsNet:
    """One net: `taps` of an RNN, None for the gated cells; its size, its horizon before training, None where beyond the
    longest lag, and the lag that it learnt.
    """

    start: Start
    taps: int | None
    seed: int
    hidden_size: int
    parameters: int
    horizon: int | None
    solved: SolvedLag

    @property
    def text(self) -> str:
        """In words, `rnn, 4 taps`."""
        return self.start.text if self.taps is None else f"rnn, {self.taps} tap{'s' if self.taps > 1 else ''}"


@dataclass(frozen=True)
class TapsStudy:
    """What `taps_study` found; `lags` are those that were tried."""

    nets: tuple[TapsNet, ...]
    lags: tuple[int, ...]
    budget: Budget

    @property
    def by_taps(self) -> dict[int, float]:
        """The median over seeds of the lag that is solved, for each number of taps."""
        counts = sorted({net.taps for net in self.nets if net.taps is not None})
        return {taps: self._middle(net for net in self.nets if net.taps == taps) for taps in counts}

    @property
    def gated(self) -> dict[str, float]:
        """The same for each gated net."""
        names = dict.fromkeys(net.text for net in self.nets if net.taps is None)
        return {name: self._middle(net for net in self.nets if net.text == name) for name in names}

    def _middle(self, nets: Iterable[TapsNet]) -> float:
        return float(median(net.solved.lag for net in nets))

    @cached_property
    def slope(self) -> tuple[float, float, float]:
        """Steps of lag that a tap more adds, least squares through all RNNs, and its 95 % interval: a bootstrap's over
        the seeds of each number of taps (percentiles; Efron 1979). A net that solved the longest lag counts with that.
        NaN where there is one number of taps.
        """
        lags = {taps: [net.solved.lag for net in self.nets if net.taps == taps] for taps in self.by_taps}
        if len(lags) < 2:
            return float("nan"), float("nan"), float("nan")
        random = np.random.default_rng(0)
        drawn = [  # [RESAMPLES, seeds] for each number of taps; the first as they are
            np.concatenate([[found], random.choice(found, (RESAMPLES, len(found)))]) for found in lags.values()
        ]
        taps = np.repeat(list(lags), [len(found) for found in lags.values()])
        first, *others = np.polyfit(taps, np.concatenate(drawn, axis=1).T, 1)[0].tolist()
        low, high = np.percentile(others, (2.5, 97.5)).tolist()
        return first, low, high

    @property
    def reach(self) -> dict[int, float]:
        """The median over seeds of the horizon before training, for each number of taps; at most the longest lag."""
        return {
            taps: float(median(net.horizon or self.lags[-1] for net in self.nets if net.taps == taps))
            for taps in self.by_taps
        }

    def taps_for(self, lag: float) -> int | None:
        """The fewest taps measured that solve a lag as long; None where none does."""
        return next((taps for taps, solved in self.by_taps.items() if solved >= lag), None)

    @property
    def verdict(self) -> str:
        """How many taps it takes, and what the gated nets do with the same budget and as many parameters."""
        size = round(median(net.parameters for net in self.nets))
        counts = ", ".join(map(str, self.by_taps))
        solved = ", ".join(f"{lag:g}" for lag in self.by_taps.values())
        slope, low, high = self.slope
        grows = "" if isnan(slope) else f", {slope:.2g} steps a tap ({low:.2g} to {high:.2g} with 95 % confidence)"
        return (
            f"In {self.budget.steps:,} batches an RNN with {counts} taps solves lags up to {solved} (medians over "
            f"seeds){grows}; with about as many parameters, {size:,}, {', '.join(map(self._beside, self.gated))}."
        )

    def _beside(self, name: str) -> str:
        lag = self.gated[name]
        fewest = self.taps_for(lag)
        needed = "more taps than were tried" if fewest is None else f"{fewest} tap{'s' if fewest > 1 else ''}"
        return f"the {name} solves {lag:g} ({needed})" if lag else f"the {name} solves none"

    def plot(self, ax: "Axes") -> None:
        """Solved lag over taps, a point a seed and lines of medians; the gated nets as levels, from least to most."""
        from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

        unsolved = self.lags[0] / GROWTH
        taps = self.by_taps
        rnns = [net for net in self.nets if net.taps is not None]
        ax.plot(
            [net.taps or 1 for net in rnns], [net.solved.lag or unsolved for net in rnns], "v", color="C3", alpha=0.5
        )
        ax.plot(list(taps), [lag or unsolved for lag in taps.values()], "-", color="C3", label="rnn with so many taps")
        ax.plot(list(self.reach), list(self.reach.values()), ":", color="C3", label="its horizon before training")
        for (name, lag), colour in zip(self.gated.items(), COLOURS, strict=False):
            lags = [net.solved.lag or unsolved for net in self.nets if net.text == name]
            ax.axhline(lag or unsolved, color=colour, label=name)
            ax.axhspan(min(lags), max(lags), color=colour, alpha=0.12, linewidth=0)
        ax.set_xscale("log", base=2)
        ax.set(yscale="log", xlabel="taps", ylabel=f"longest lag solved in {self.budget.steps:,} batches")
        ax.set_xticks(list(taps), [str(count) for count in taps])
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_locator(NullLocator())
        ax.set_ylim(top=self.lags[-1] * GROWTH**0.5)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))
