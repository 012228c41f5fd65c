"""The longest lag over which a net learns to remember, with a fixed budget for each lag."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from peephole.data.problems.problem import Problem
from peephole.errors import InputError
from peephole.train.brief import train_briefly
from peephole.train.budget import Budget

SHORTEST = 2
GROWTH = 1.4  # from one lag to the next: a finer grid would tell apart less than seeds differ by
FAILURES = 2  # in a row, after which longer lags are not tried: one alone may be bad luck


@dataclass(frozen=True)
class SolvedLag:
    """The longest lag that was solved, 0 where none was. `tried` holds each lag with the batches that it took, None
    where they were not enough.
    """

    lag: int
    tried: tuple[tuple[int, int | None], ...]

    @staticmethod
    def of(tried: Sequence[Sequence[Any]]) -> "SolvedLag":
        """From pairs of a lag and what it took."""
        pairs = tuple((lag, steps) for lag, steps in tried)
        return SolvedLag(max((lag for lag, steps in pairs if steps is not None), default=0), pairs)


def lag_grid(longest: int, shortest: int = SHORTEST) -> tuple[int, ...]:
    """Lags from `shortest` to `longest`, each about 1.4 times the one before."""
    if longest < shortest:
        raise InputError(f"--longest is {longest}; expected at least {shortest} steps, the shortest lag")
    lags = [shortest]
    while lags[-1] < longest:
        lags.append(min(longest, max(lags[-1] + 1, round(lags[-1] * GROWTH))))
    return tuple(lags)


def longest_solved(lags: Sequence[int], batches_to_solve: Callable[[int], int | None]) -> SolvedLag:
    """Try lags from short to long until two in a row fail; `batches_to_solve(lag)` is None for a failure."""
    tried: list[tuple[int, int | None]] = []
    for lag in lags:
        tried.append((lag, batches_to_solve(lag)))
        if len(tried) >= FAILURES and all(steps is None for _, steps in tried[-FAILURES:]):
            break
    return SolvedLag.of(tried)


def solved_lag(
    net: Callable[[], nn.Module], problem: Problem, lags: Sequence[int], budget: Budget, seed: int
) -> SolvedLag:
    """The longest lag of `problem`, whose size is its lag, that a net learns; every lag starts from a new `net()`.

    Examples depend on seed, lag and step alone, so that different nets see the same.
    """

    def batches_to_solve(lag: int) -> int | None:
        random = np.random.default_rng([seed, lag])
        learnt = train_briefly(net(), lambda _: problem.draw(random, budget.batch_size, lag), budget)
        return learnt.steps if learnt.solved else None

    return longest_solved(lags, batches_to_solve)
