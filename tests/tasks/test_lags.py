"""The search for the longest solved lag, on trainers whose answer is known, and on a tiny net."""

import itertools

import pytest

from peephole.data.problems.recall import Recall
from peephole.errors import InputError
from peephole.tasks.lags import SolvedLag, lag_grid, longest_solved, solved_lag
from peephole.tasks.starts import Start
from peephole.train.budget import Budget


def test_the_grid_grows_geometrically() -> None:
    lags = lag_grid(300)
    assert lags[:6] == (2, 3, 4, 6, 8, 11)
    assert lags[-1] == 300
    assert all(1.25 <= after / before <= 1.5 for before, after in itertools.pairwise(lags[2:-1]))
    assert lag_grid(2) == (2,)
    assert lag_grid(7) == (2, 3, 4, 6, 7)
    with pytest.raises(InputError, match="--longest is 1; expected at least 2"):
        lag_grid(1)


@pytest.mark.parametrize(
    ("solvable", "found", "tried"),
    [
        ({2, 3, 4}, 4, (2, 3, 4, 6, 8)),
        ({2, 3, 6}, 6, (2, 3, 4, 6, 8, 11)),  # one failure alone is bad luck
        ({2, 8}, 2, (2, 3, 4)),  # two are an end
        (set(), 0, (2, 3)),
        ({2, 3, 4, 6, 8, 11}, 11, (2, 3, 4, 6, 8, 11)),
        ({2, 3, 4, 6, 8}, 8, (2, 3, 4, 6, 8, 11)),
    ],
)
def test_the_search(solvable: set[int], found: int, tried: tuple[int, ...]) -> None:
    solved = longest_solved((2, 3, 4, 6, 8, 11), lambda lag: 10 * lag if lag in solvable else None)
    assert solved.lag == found
    assert solved.tried == tuple((lag, 10 * lag if lag in solvable else None) for lag in tried)
    assert SolvedLag.of([list(pair) for pair in solved.tried]) == solved  # as from a file


def test_a_net_starts_anew_at_every_lag() -> None:
    problem, started = Recall(lag=6, form="symbols"), []

    def fresh() -> object:
        started.append(Start("gru", "orthogonal").net(problem, 8, seed=0))
        return started[-1]

    budget = Budget(steps=120, learning_rate=0.03)
    solved = solved_lag(fresh, problem, (2, 3, 6), budget, seed=0)
    assert len(started) == len(solved.tried) == 3
    assert solved.lag == 6
    again = solved_lag(fresh, problem, (6,), budget, seed=0)  # does not depend on the lags before
    assert again.tried == solved.tried[-1:]
    assert solved_lag(fresh, problem, (2, 3, 6), Budget(steps=10, learning_rate=0.03), seed=0).lag == 0
