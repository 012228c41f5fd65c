"""The horizon predicts: how far back the answer's gradient reaches before training, and over which lag a net learns."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from peephole._version import __version__
from peephole.data.problems.recall import Recall
from peephole.errors import InputError
from peephole.models.sequence import SequenceModel
from peephole.runs.rows import Rows
from peephole.tasks.lags import GROWTH, SolvedLag, lag_grid, solved_lag
from peephole.tasks.outlook import horizon_before
from peephole.tasks.rank_correlation import RankCorrelation, rank_correlation
from peephole.tasks.starts import STARTS, Start
from peephole.train.budget import Budget

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"tanh rnn": "C3", "relu rnn": "C1", "gru": "C2", "lstm": "C0"}
MARKERS = {"tanh rnn": "v", "relu rnn": "^", "gru": "s", "lstm": "o"}


@dataclass(frozen=True)
class Net:
    """One net: its horizon before training with the ends of its interval, None where beyond the longest lag, and the
    lag that it learnt.
    """

    start: Start
    seed: int
    horizon: int | None
    low: int | None
    high: int | None
    solved: SolvedLag


@dataclass(frozen=True)
class HorizonStudy:
    """What `horizon_study` found; `lags` are those that were tried, the horizon is known up to the last."""

    nets: tuple[Net, ...]
    lags: tuple[int, ...]
    budget: Budget

    @property
    def longest(self) -> int:
        """The longest lag."""
        return self.lags[-1]

    def reach(self, net: Net) -> int:
        """A net's horizon as a number to put in order: one more than the longest lag for what is beyond it."""
        return self.longest + 1 if net.horizon is None else net.horizon

    @cached_property
    def correlation(self) -> RankCorrelation:
        """Of horizon and solved lag over all nets; its interval draws starts, each with all of its seeds."""
        return self._correlate(self.nets)

    @cached_property
    def within(self) -> dict[str, RankCorrelation]:
        """The same within each cell."""
        families = dict.fromkeys(net.start.family for net in self.nets)
        nets = {family: [net for net in self.nets if net.start.family == family] for family in families}
        return {family: self._correlate(those) for family, those in nets.items() if len(those) > 2}

    def _correlate(self, nets: Sequence[Net]) -> RankCorrelation:
        return rank_correlation(
            [self.reach(net) for net in nets], [net.solved.lag for net in nets], [net.start for net in nets]
        )

    @property
    def ratios(self) -> tuple[float, float, float]:
        """Solved lag over horizon: 10 %, half and 90 % of the nets are below; of nets with both within the lags."""
        inside = [net for net in self.nets if net.horizon is not None and 0 < net.solved.lag < self.longest]
        shares = [net.solved.lag / max(1, self.reach(net)) for net in inside]
        low, middle, high = np.percentile(shares, (10, 50, 90)).tolist() if shares else [np.nan] * 3
        return low, middle, high

    @property
    def verdict(self) -> str:
        """The correlation, over how many nets, and how the two compare."""
        found, (low, middle, high) = self.correlation, self.ratios
        return (
            f"Over {found.count} nets, from {found.groups} starts, the horizon before training and the longest lag "
            f"solved within {self.budget.steps:,} batches have the rank correlation {found.value:.2f} (95 % interval "
            f"{found.low:.2f} to {found.high:.2f}); the lag is {middle:.2g} times the horizon in the middle, {low:.2g} "
            f"to {high:.2g} times in four nets of five."
        )

    def plot(self, ax: "Axes") -> None:
        """A point a net, solved lag over horizon; the line is where they are equal, the bands what lies outside."""
        shortest, beyond = self.lags[0], self.longest * GROWTH
        unsolved = shortest / GROWTH
        for family in dict.fromkeys(net.start.family for net in self.nets):
            those = [net for net in self.nets if net.start.family == family]
            across = [beyond if net.horizon is None else max(net.horizon, 1) for net in those]
            up = [net.solved.lag or unsolved for net in those]
            colour, marker = COLOURS.get(family, "0.4"), MARKERS.get(family, "o")
            said = f"{family}, {self.within[family].value:.2f}" if family in self.within else family
            ax.plot(across, up, marker, color=colour, alpha=0.55, markersize=6, markeredgewidth=0, label=said)
        equal = [max(1, min(self.reach(net) for net in self.nets)), self.longest]
        ax.plot(equal, equal, "--", color="0.6", linewidth=1)
        ax.axvspan(self.longest * GROWTH**0.5, beyond * GROWTH**0.5, color="0.93", zorder=0)
        ax.set(xscale="log", yscale="log", xlabel=f"horizon before training, steps (grey: more than {self.longest})")
        ax.set(ylabel=f"longest lag solved in {self.budget.steps:,} batches")
        ax.set_xlim(right=beyond * GROWTH**0.5)
        ax.set_ylim(top=self.longest * GROWTH**0.5)
        ax.set_title(f"rank correlation {self.correlation.text}, {self.correlation.count} nets")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize="small", title="cell, correlation within it", loc="upper left")


def horizon_study(
    starts: Sequence[Start] = STARTS,
    seeds: Sequence[int] = (0, 1, 2),
    budget: Budget | None = None,
    longest: int = 500,
    hidden_size: int = 32,
    rows: Rows | None = None,
    tell: Callable[[Net], None] = lambda net: None,
) -> HorizonStudy:
    """Measure the horizon of every start with every seed, then train that same net over longer and longer lags.

    The problem is `Recall` with symbols: a pattern at the first step, noise, and a cue `lag` steps later. The horizon
    is that of ‖∂Div(t)/∂state(k)‖ from the answer at t back through `longest` steps, of the net as it starts: the first
    distance at which it is under 1 % of what it was at the answer (Hochreiter 1991; Bengio, Simard & Frasconi 1994). Of
    an LSTM's h and c it is the longer: what one of them keeps can be learnt from, whatever the other forgets. The lag
    is the longest that is solved within `budget`, each lag tried from the same weights anew, with the same examples for
    every net of a seed. `rows` keep what is done; `tell` hears of each net as it is found.

    Raises:
        InputError: nothing to measure, or sizes below 1.
    """
    if not starts or not seeds:
        raise InputError(f"got {len(starts)} starts and {len(seeds)} seeds; expected at least one of each")
    if hidden_size < 1:
        raise InputError(f"--hidden-size is {hidden_size}; expected at least 1")
    budget, rows, lags = budget or Budget(), rows or Rows.open(None, {}), lag_grid(longest)
    problem = Recall(lag=longest, form="symbols")
    found: list[Net] = []
    for seed in seeds:
        for start in starts:
            key = f"{start.text}, seed {seed}"
            row = rows.done(key) or rows.add(key, _measure(start, seed, problem, lags, budget, hidden_size))
            net = Net(start, seed, row["horizon"], row["low"], row["high"], SolvedLag.of(row["tried"]))
            tell(net)
            found.append(net)
    return HorizonStudy(tuple(found), lags, budget)


def settings_of(budget: Budget, longest: int, hidden_size: int) -> dict[str, Any]:
    """What a row depends on beside its start and seed: for `Rows.open`."""
    sizes = {"longest": longest, "hidden_size": hidden_size}
    return {"experiment": "horizon", "peephole": __version__, **sizes, **dataclasses.asdict(budget)}


def _measure(
    start: Start, seed: int, problem: Recall, lags: tuple[int, ...], budget: Budget, hidden_size: int
) -> dict[str, Any]:
    def fresh() -> SequenceModel:
        return start.net(problem, hidden_size, seed)

    horizon = horizon_before(fresh(), problem, problem.lag, seed)
    solved = solved_lag(fresh, problem, lags, budget, seed)
    return {"horizon": horizon.lag, "low": horizon.low, "high": horizon.high, "tried": solved.tried}
