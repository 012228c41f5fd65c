"""Contestants in turn, round after round, so that a machine that changes its speed changes it for all of them."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

TURN_SECONDS = 0.01  # a turn lasts at least that long: a clock's grain and a late interrupt are small beside it
PAUSE_SECONDS = 0.015  # torch's threads wait busily for more work, for 8 to 11 ms, and would take a core from the next
FEWEST_ROUNDS = 3  # the least that has a middle
MOST_ROUNDS = 101


@dataclass(frozen=True)
class Budget:
    """How long a case is timed: as many rounds as fit into `seconds`, three at least; or exactly `rounds`."""

    seconds: float
    rounds: int | None = None


def shared(seconds: float, weights: Sequence[float]) -> float:
    """What the first of several may take of the time that is left for all of them, by weight."""
    return max(0.0, seconds) * weights[0] / sum(weights)


def take_turns(
    runs: Mapping[str, Callable[[], object]],
    budget: Budget,
    pauses: Mapping[str, float] | None = None,
    turn_seconds: float = TURN_SECONDS,
    fewest: int = 1,
) -> dict[str, tuple[float, ...]]:
    """Seconds of one run of each, a number a round; every round begins with another.

    `pauses` are seconds to wait after the turn of some, whose threads go on spinning for so long. A turn is as many
    runs as fill `turn_seconds`, `fewest` at least.
    """
    began = time.perf_counter()
    after = {name: (pauses or {}).get(name, PAUSE_SECONDS) for name in runs}
    repeats: dict[str, int] = {}
    for name, run in runs.items():
        repeats[name] = _calibrate(run, turn_seconds, fewest)
        time.sleep(after[name])
    taken: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    with _no_collection():
        for count in range(budget.rounds or MOST_ROUNDS):
            spent = time.perf_counter() - began
            if budget.rounds is None and count >= FEWEST_ROUNDS and spent * (count + 1) / count > budget.seconds:
                break
            first = count % len(names)
            for name in names[first:] + names[:first]:
                taken[name].append(_turn(runs[name], repeats[name]))
                time.sleep(after[name])
    return {name: tuple(values) for name, values in taken.items()}


def _calibrate(run: Callable[[], object], turn_seconds: float, fewest: int) -> int:
    """How often a turn repeats. A first run may load and compile, so that only later ones say how short it is."""
    if _clock(run, 1) > 10 * turn_seconds:  # long enough, whatever it did besides
        return fewest
    return max(fewest, round(turn_seconds / max(_clock(run, fewest), 1e-7)))


def _clock(run: Callable[[], object], repeats: int) -> float:
    """Seconds of one of so many runs."""
    began = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - began) / repeats


def _turn(run: Callable[[], object], repeats: int) -> float:
    if repeats > 1:  # a short run feels whose data the caches hold; a long one does not
        run()
    return _clock(run, repeats)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Python's collector would strike somebody at random."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Run torch, and what asks it, with `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
