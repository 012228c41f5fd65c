"""Which recordings can be learnt from, and how each becomes samples at one rate."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.sequences.preparing import prepared
from peephole.data.sound.recordings import check_installed, read_samples, resampled, silent, sound_of
from peephole.data.speech.config import SpeechData
from peephole.data.speech.encoding import stored
from peephole.data.speech.reading import utterances
from peephole.data.speech.utterance import Skipped, Utterance
from peephole.errors import InputError


@dataclass
class Gathered:
    """Recordings that can be read, with what is to be said of them."""

    spoken: list[Utterance]
    skipped: list[Skipped] = field(default_factory=list)
    rates: Counter[int] = field(default_factory=Counter)
    averaged: int = 0  # of several channels

    def notes(self, rate: int) -> list[str]:
        """Sentences about what is changed where recordings are brought to one rate."""
        found: list[str] = []
        changed = self.rates.total() - self.rates[rate]
        if changed:
            found.append(f"{changed:,} recordings of another rate are resampled to {rate:,} Hz")
        if self.averaged:
            found.append(f"{self.averaged:,} recordings have several channels, of which the mean is taken")
        return found


def gather(paths: Iterable[Path], data: SpeechData) -> Gathered:
    """The recordings with transcripts that can be read, by the heads of their files; others are skipped and named.

    Raises:
        InputError: whatever the tables and folders are refused for, no recording that can be read, or nothing installed
            that reads them.
    """
    check_installed()  # said once, not of each recording
    found = Gathered([])
    for one in utterances(paths, data, found.skipped):
        try:
            reason = silent(one.path, data.hop_milliseconds)
            _, rate, channels = sound_of(one.path)
        except InputError as error:
            found.skipped.append(Skipped(one.place, str(error)))
            continue
        if reason is not None:
            found.skipped.append(Skipped(f"{one.place} ({one.path})", reason))
            continue
        found.rates[rate] += 1
        found.averaged += channels > 1
        found.spoken.append(one)
    if not found.spoken:
        first = f"; the first: {found.skipped[0].name}, {found.skipped[0].reason}" if found.skipped else ""
        names = ", ".join(map(str, paths))
        raise InputError(f"{names}: no recording with a transcript that can be read{first}; give others")
    return found


@dataclass(frozen=True)
class _File:
    """A recording; its size and time tell it from what it was before it changed."""

    path: Path
    size: int
    time: int


def samples_of(spoken: Sequence[Utterance], rate: int, shards: Path, workers: int) -> Iterator[NDArray[np.int16]]:
    """The samples `[samples]` of each at `rate`, read in parallel; what is read stays in `shards` if it is stopped.

    There are none of a recording that cannot be read to its end: `unreadable` says why.
    """
    files = [_File(one.path.absolute(), one.path.stat().st_size, one.path.stat().st_mtime_ns) for one in spoken]
    yield from prepared(files, partial(_samples, rate), shards, f"speech {rate}", workers)


def unreadable(path: Path) -> str:
    """Why a recording without samples has none."""
    try:
        read_samples(path)
    except InputError as error:
        return str(error)
    return "no samples"


def _samples(rate: int, file: _File) -> NDArray[Any]:
    try:
        samples, own = read_samples(file.path)
    except InputError:  # one torn recording among thousands is left out, and named by the caller
        return np.empty(0, np.int16)
    return stored(resampled(samples, own, rate))
