"""CTC by its definition: every path written out."""

import itertools
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray


def some_logs(frames: int, symbols: int, seed: int = 0, sharpness: float = 2.0) -> NDArray[np.float64]:
    """Log-probabilities `[T, V]` of a net that holds opinions."""
    logits = sharpness * np.random.default_rng(seed).normal(size=(frames, symbols))
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def said_by(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    """What a path says: repeats merged, blanks dropped."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != blank)


def every_path(logs: NDArray[np.float64]) -> list[tuple[tuple[int, ...], float]]:
    """All paths with their probabilities."""
    paths = itertools.product(range(logs.shape[1]), repeat=len(logs))
    return [(path, float(np.exp(sum(logs[time, symbol] for time, symbol in enumerate(path))))) for path in paths]


def every_sequence(logs: NDArray[np.float64], blank: int) -> dict[tuple[int, ...], float]:
    """Probability of every label sequence, the likeliest first."""
    found: defaultdict[tuple[int, ...], float] = defaultdict(float)
    for path, probability in every_path(logs):
        found[said_by(path, blank)] += probability
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))
