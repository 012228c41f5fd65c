"""Multi-tap against gated memory: it "can be performed with a multi-tap recursion, but how many taps?", they ask."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from peephole._version import __version__
from peephole.data.problems.recall import Recall
from peephole.errors import InputError
from peephole.models.sequence import SequenceModel
from peephole.runs.rows import Rows
from peephole.tasks.lags import SolvedLag, lag_grid, solved_lag
from peephole.tasks.outlook import horizon_before
from peephole.tasks.starts import Start
from peephole.tasks.taps_result import TapsNet, TapsStudy
from peephole.train.budget import Budget

RNN = Start("rnn", "orthogonal")


def gated_starts(longest: int) -> tuple[Start, ...]:
    """What stands beside the taps: LSTM and GRU as they usually start, and an LSTM told how long it must remember."""
    usual = Start("lstm", "orthogonal", forget_bias=1.0), Start("gru", "orthogonal")
    return *usual, Start("lstm", "chrono", longest=max(3, longest))


def taps_study(
    taps: Sequence[int] = (1, 2, 3, 4, 6, 8),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    budget: Budget | None = None,
    longest: int = 500,
    hidden_size: int = 32,
    rows: Rows | None = None,
    tell: Callable[[TapsNet], None] = lambda net: None,
) -> TapsStudy:
    """The longest lag of `Recall` with symbols that an RNN learns, by its taps, beside LSTM and GRU.

    h(t) = tanh(W_ih x(t) + W_1 h(t−1) + … + W_k h(t−k) + b), started orthogonal. `hidden_size` is the LSTM's; all
    others are as wide as gives the nearest number of parameters. Lags, budget and examples as in `horizon_study`.

    Raises:
        InputError: nothing to measure, or sizes below 1.
    """
    if not taps or min(taps) < 1 or not seeds:
        raise InputError(f"--taps are {' '.join(map(str, taps)) or 'none'}; expected numbers of taps, each at least 1")
    if hidden_size < 1:
        raise InputError(f"--hidden-size is {hidden_size}; expected at least 1")
    budget, rows, lags = budget or Budget(), rows or Rows.open(None, {}), lag_grid(longest)
    problem = Recall(lag=longest, form="symbols")
    kinds: list[tuple[Start, int | None]] = [(RNN, count) for count in sorted(set(taps))]
    kinds += [(start, None) for start in gated_starts(longest)]
    widths = {kind: _width(*kind, problem, hidden_size) for kind in kinds}
    found: list[TapsNet] = []
    for seed in seeds:
        for start, count in kinds:
            width, parameters = widths[start, count]
            key = f"{start.text}, taps {count}, seed {seed}"
            row = rows.done(key) or rows.add(key, _measure(start, count, seed, problem, lags, budget, width))
            solved = SolvedLag.of(row["tried"])
            found.append(TapsNet(start, count, seed, width, parameters, row["horizon"], solved))
            tell(found[-1])
    return TapsStudy(tuple(found), lags, budget)


def settings_of(budget: Budget, longest: int, hidden_size: int) -> dict[str, Any]:
    """What a row depends on beside its kind and seed: for `Rows.open`."""
    sizes = {"longest": longest, "hidden_size": hidden_size}
    return {"experiment": "taps", "peephole": __version__, **sizes, **dataclasses.asdict(budget)}


def _net(start: Start, taps: int | None, problem: Recall, width: int, seed: int) -> SequenceModel:
    return start.net(problem, width, seed, **({} if taps is None else {"taps": taps}))


def _width(start: Start, taps: int | None, problem: Recall, hidden_size: int) -> tuple[int, int]:
    """The width at which a net has the parameters nearest to those of an LSTM of `hidden_size`, and how many it has.

    Their number is a square of the width, which three widths tell.
    """

    def parameters(start: Start, taps: int | None, width: int) -> int:
        return sum(parameter.numel() for parameter in _net(start, taps, problem, width, 0).parameters())

    wanted = parameters(Start("lstm", "torch"), None, hidden_size)
    square, linear, constant = np.polyfit((1, 2, 3), [parameters(start, taps, width) for width in (1, 2, 3)], 2)
    best = (-linear + np.sqrt(linear**2 - 4 * square * (constant - wanted))) / (2 * square)
    nearest = [(width, parameters(start, taps, width)) for width in {max(1, int(best)), int(best) + 1}]
    return min(nearest, key=lambda pair: abs(pair[1] - wanted))


def _measure(
    start: Start, taps: int | None, seed: int, problem: Recall, lags: tuple[int, ...], budget: Budget, width: int
) -> dict[str, Any]:
    horizon = horizon_before(_net(start, taps, problem, width, seed), problem, problem.lag, seed)
    solved = solved_lag(lambda: _net(start, taps, problem, width, seed), problem, lags, budget, seed)
    return {"horizon": horizon.lag, "tried": solved.tried}
