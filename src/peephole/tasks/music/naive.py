"""What can be said of the next step without a net: how often each note sounds, and how often it goes on.

Counts of the training part, and half a one more of each (Krichevsky & Trofimov 1981).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.music.encoding import NOTES, MusicEncoding
from peephole.data.music.piece import KEYS
from peephole.data.sequences.store import Part

MORE = 0.5


def naive_nats(train: Part, asked: Part, encoding: MusicEncoding) -> dict[str, list[NDArray[np.float64]]]:
    """The nats of every step of the pieces asked about, `[T]` each, by the name of the method."""
    if encoding.notes == "chords":
        return {"note frequencies": _keys(train, asked, False), "each note by itself": _keys(train, asked, True)}
    return {
        "note frequencies": _voices(train, asked, encoding.voices, False),
        "each voice by itself": _voices(train, asked, encoding.voices, True),
    }


def _keys(train: Part, asked: Part, chained: bool) -> list[NDArray[np.float64]]:
    """A Markov chain a key, on or off; not `chained`, its share of the steps."""
    on = np.full((2, KEYS), MORE)  # [what it was before, key]
    count = np.full((2, KEYS), 2 * MORE)
    for roll in _targets(train):
        before = _before(roll) if chained else np.zeros_like(roll)
        for state in (0, 1):
            here = before == state
            count[state] += here.sum(0)
            on[state] += (here & (roll == 1)).sum(0)
    share = on / count
    found: list[NDArray[np.float64]] = []
    for roll in _targets(asked):
        before = _before(roll) if chained else np.zeros_like(roll)
        likely = np.where(before == 1, share[1], share[0])
        found.append(-np.log(np.where(roll == 1, likely, 1 - likely)).sum(1))
    return found


def _voices(train: Part, asked: Part, voices: int, chained: bool) -> list[NDArray[np.float64]]:
    """A Markov chain a voice over what it can do; not `chained`, the shares of it."""
    counts = np.full((voices, NOTES, NOTES), MORE)  # [voice, before, now]
    for symbols in _targets(train):
        rows = symbols.astype(np.int64).reshape(-1, voices)
        before = _before(rows) if chained else np.zeros_like(rows)
        for voice in range(voices):
            pairs = before[:, voice] * NOTES + rows[:, voice]
            counts[voice] += np.bincount(pairs, minlength=NOTES * NOTES).reshape(NOTES, NOTES)
    logs = np.log(counts / counts.sum(-1, keepdims=True))
    found: list[NDArray[np.float64]] = []
    for symbols in _targets(asked):
        rows = symbols.astype(np.int64).reshape(-1, voices)
        before = _before(rows) if chained else np.zeros_like(rows)
        found.append(-logs[np.arange(voices), before, rows].sum(1))
    return found


def _before(rows: NDArray[Any]) -> NDArray[Any]:
    """What was a step before; silence before the first."""
    return np.concatenate([np.zeros_like(rows[:1]), rows[:-1]])


def _targets(part: Part) -> Iterator[NDArray[Any]]:
    for number in range(len(part)):
        yield part.sequence(number)[1]
