"""How much of the held-out data the training has as well, in long stretches that do not repeat by chance."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peephole.doctor.case import Batch
from peephole.doctor.examination import Examination

STRETCH = 64  # symbols, the same in both parts
VARIED = 12  # different symbols that a stretch must have: rulers, runs of spaces and the like say nothing
READ = 10_000_000  # tokens of the training that are looked through
ASKED = 20_000  # stretches of the held-out data that are looked for
SEED = 9


@dataclass(frozen=True)
class Overlap:
    """What both parts have.

    Attributes:
        share: share of the held-out stretches, or sequences, that the training has.
        within: what repeats anyhow: of stretches, the share that the training has twice; of sequences, the share that
            would be found if both parts were drawn from as few as it takes for so many equal ones in the held-out part.
        looked_for: how many were looked for.
        length: symbols, or steps, that each has.
        places: `share` by where in the held-out data, in twenty parts; empty of batches.
    """

    share: float
    within: float
    looked_for: int
    length: int
    places: tuple[float, ...] = ()


def overlap(examination: Examination) -> Overlap | None:
    """Of the streams where the data is text, else of the sequences in the batches; None where there is neither."""
    case = examination.case
    if case.streams is not None:
        return _of_streams(*case.streams)
    return _of_batches(case.training, case.held_out)


def _of_streams(training: NDArray[np.integer], held_out: NDArray[np.integer]) -> Overlap | None:
    training, held_out = np.asarray(training[:READ]), np.asarray(held_out[:READ])
    if min(len(training), len(held_out)) < 4 * STRETCH:
        return None
    names = np.random.default_rng(SEED).integers(1, 1 << 63, int(max(training.max(), held_out.max())) + 1, np.uint64)
    known = _hashes(names[training])
    wanted = _hashes(names[held_out])
    places = np.linspace(0, len(wanted) - 1, min(ASKED, len(wanted))).astype(np.int64)
    varied = _varied(held_out, places)
    places = places[varied]
    if len(places) < 100:
        return None
    found = _among(wanted[places], known, 1)
    own = np.linspace(0, len(known) - 1, min(ASKED, len(known))).astype(np.int64)
    own = own[_varied(training, own)]
    # A stretch of the training is there once anyhow.
    within = float(_among(known[own], known, 2).mean()) if len(own) else 0.0
    parts = np.array_split(found, 20)
    return Overlap(float(found.mean()), within, len(places), STRETCH, tuple(float(part.mean()) for part in parts))


def _hashes(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A number for each stretch, by where it begins: of twice as long ones from those of half the length, mod 2^64."""
    factor = 0x9E3779B97F4A7C15
    length, power = 1, factor
    while length < STRETCH:
        longer = numbers[:-length] * np.uint64(power)
        longer += numbers[length:]
        numbers = longer
        length, power = 2 * length, power * power % (1 << 64)
    return numbers


def _varied(tokens: NDArray[np.integer], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which stretches have enough different symbols, or as many as there are of them in all where those are few."""
    stretches = np.sort(tokens[places[:, None] + np.arange(STRETCH)], axis=1)
    different = 1 + (np.diff(stretches, axis=1) != 0).sum(1)
    return different >= min(VARIED, len(np.unique(tokens[:100_000])))


def _among(wanted: NDArray[np.uint64], known: NDArray[np.uint64], times: int) -> NDArray[np.bool_]:
    """Which of `wanted` are at least so many `times` among `known`."""
    # Most of the many that are known can be told by a few of their bits to be none of those few that are wanted.
    bits = np.zeros(1 << 22, dtype=np.bool_)
    bits[wanted >> np.uint64(42)] = True
    known = known[bits[known >> np.uint64(42)]]
    different, counts = np.unique(known, return_counts=True)
    if not len(different):
        return np.zeros(len(wanted), dtype=np.bool_)
    spot = np.minimum(np.searchsorted(different, wanted), len(different) - 1)
    return (different[spot] == wanted) & (counts[spot] >= times)


def _of_batches(training: tuple[Batch, ...], held_out: tuple[Batch, ...]) -> Overlap | None:
    known, wanted = set(_sequences(training)), _sequences(held_out)
    if not known or len(wanted) < 8:
        return None
    share = sum(one in known for one in wanted) / len(wanted)
    pairs = sum(number * (number - 1) / 2 for number in Counter(wanted).values())
    # Of N different sequences, all as likely, a part of n has n (n − 1) / 2N pairs of equal ones.
    different = len(wanted) * (len(wanted) - 1) / 2 / max(pairs, 0.5)
    within = min(1.0, len(known) / different)
    return Overlap(share, within, len(wanted), held_out[0].steps)


def _sequences(batches: tuple[Batch, ...]) -> list[bytes]:
    """Each row with its targets, as bytes."""
    found = []
    for batch in batches:
        for row in range(batch.rows):
            inputs, targets = batch.inputs[:, row].contiguous(), batch.targets[:, row].contiguous()
            found.append(inputs.cpu().numpy().tobytes() + targets.cpu().numpy().tobytes())
    return found
