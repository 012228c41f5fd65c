"""`Chooser`: Optuna's study of a sweep, made anew from what came of the trials so far."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from peephole.errors import InputError
from peephole.tasks.sweeping.space import Dimension, Range

if TYPE_CHECKING:
    import optuna

How = Literal["random", "halving"]

LEAST_MEASURED = 2  # measurements on held-out data before a trial may be stopped; usually there are ten
THIRD = 3  # of the trials that were measured as often, one in three goes on
DRAWS = 1000  # until new values are found, where there are few


def check_installed() -> None:
    """Raise `InputError`, with the extra's name, where Optuna is missing."""
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise InputError("sweeping needs optuna, which is not installed; pip install 'peephole[compare]'") from None


class Chooser:
    """What to try next, and whether to go on with it.

    Trial n is drawn from (seed, n) and the space, so that a sweep that was stopped chooses as if it had not been:
    `begin` every trial in order, and `measure` and `end` those that are done as they came out.

    Random search is that of Bergstra & Bengio 2012. `how="halving"`: successive halving (Jamieson & Talwalkar 2016),
    asynchronously as Li et al. 2020 have it: after 2 and 6 measurements a trial goes on if it is among the best third
    of those that came as far.
    """

    def __init__(self, space: Sequence[Dimension], seed: int, how: How) -> None:
        import optuna

        self.space, self.seed, self.how = tuple(space), seed, how
        pruner = optuna.pruners.SuccessiveHalvingPruner(LEAST_MEASURED, THIRD)
        with _quiet():
            self.study = optuna.create_study(pruner=pruner if how == "halving" else optuna.pruners.NopPruner())
        self.distributions = {each.name: _distribution(each) for each in space}
        self.tried: list[dict[str, Any]] = []
        self.measured = 0

    def begin(self) -> dict[str, Any] | None:
        """The settings of the next trial, unlike any before; None where all there are have been tried."""
        values = self._draw()
        if values is None:
            return None
        with _quiet():
            self.study.enqueue_trial(values)
            self.trial: optuna.Trial = self.study.ask(self.distributions)
        self.tried.append(values)
        self.measured = 0
        return values

    def measure(self, held_out: float) -> bool:
        """Hear of the next measurement of the trial that began last; whether to go on with it."""
        self.measured += 1
        with _quiet():
            self.trial.report(held_out, self.measured)
            return not self.trial.should_prune()

    @property
    def rivals(self) -> int:
        """How many trials came as far as the present one, itself included."""
        return sum(self.measured in trial.intermediate_values for trial in self.study.get_trials(deepcopy=False))

    def end(self, held_out: float | None) -> None:
        """The trial that began last is done; None where it was stopped or died."""
        from optuna.trial import TrialState

        with _quiet():
            if held_out is None:
                self.study.tell(self.trial, state=TrialState.PRUNED)
            else:
                self.study.tell(self.trial, held_out)

    def _draw(self) -> dict[str, Any] | None:
        import optuna

        if len(self.tried) >= math.prod(each.count for each in self.space):
            return None
        words = np.random.SeedSequence([self.seed, len(self.tried)]).generate_state(1)
        with _quiet():
            drawing = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=int(words[0])))
            for _ in range(DRAWS):
                values = drawing.ask(self.distributions).params
                if values not in self.tried:
                    return values
        return None


def _distribution(dimension: Dimension) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(dimension, Range):
        return CategoricalDistribution(dimension.values)
    kind = IntDistribution if isinstance(dimension.low, int) else FloatDistribution
    return kind(dimension.low, dimension.high, log=dimension.log)  # pyright: ignore[reportArgumentType]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's own lines; its level comes back."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
