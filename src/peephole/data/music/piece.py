"""A piece of music as chords, a step each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from peephole.errors import InputError

LOWEST, HIGHEST = 21, 108  # MIDI pitches of a piano's keys, A0 and C8
KEYS = HIGHEST - LOWEST + 1
SILENCE = -1  # in the place of a voice that rests

Chord = tuple[int, ...]  # MIDI pitches that sound; a voice that rests has SILENCE in its place


@dataclass(frozen=True)
class Piece:
    """What sounds at each step.

    Attributes:
        name: where it was read, for people.
        chords: the pitches of each step, in the file's order.
        beats_per_minute: the tempo that it begins with; None where the file does not say.
        ordered: whether that order may be the voices'; of MIDI it is from the highest down.
    """

    name: str
    chords: tuple[Chord, ...]
    beats_per_minute: float | None = None
    ordered: bool = True

    def __len__(self) -> int:
        return len(self.chords)

    @property
    def is_silent(self) -> bool:
        """Whether no note sounds anywhere."""
        return not any(sounding(chord) for chord in self.chords)

    def stretches(self, longest: int) -> list["Piece"]:
        """The piece, or where it is longer its parts of at most `longest` steps, all of about the same length."""
        count = -(-len(self) // longest)
        if count <= 1:
            return [self]
        edges = np.linspace(0, len(self), count + 1).round().astype(int).tolist()
        return [
            replace(self, name=f"{self.name} (part {part})", chords=self.chords[start:end])
            for part, (start, end) in enumerate(pairwise(edges), 1)
        ]


def sounding(chord: Chord) -> Chord:
    """The pitches of a chord without silence, each once, from the highest down."""
    return tuple(sorted({pitch for pitch in chord if pitch != SILENCE}, reverse=True))


def roll_of(chords: Sequence[Chord]) -> Float[np.ndarray, "steps keys"]:
    """1 where a key of the piano sounds and 0 elsewhere, `[T, 88]` from the lowest key up."""
    roll = np.zeros((len(chords), KEYS), np.float32)
    for step, chord in enumerate(chords):
        roll[step, [pitch - LOWEST for pitch in sounding(chord)]] = 1.0
    return roll


def chords_of(roll: NDArray[np.generic]) -> tuple[Chord, ...]:
    """The pitches that sound at each step of a roll `[T, 88]`, from the highest down."""
    return tuple(tuple((np.flatnonzero(row)[::-1] + LOWEST).tolist()) for row in roll)


def check_pitch(pitch: object, place: str) -> int:
    """A key of the piano as an int. `InputError` for anything else."""
    # JSON from other programs may hold 60.0
    whole = isinstance(pitch, int | float) and not isinstance(pitch, bool) and float(pitch).is_integer()
    if not whole or not LOWEST <= int(pitch) <= HIGHEST:  # pyright: ignore[reportArgumentType]
        raise InputError(
            f"{place}: got {str(pitch)[:40]!r}; expected a MIDI pitch from {LOWEST} to {HIGHEST}, the keys of a piano; "
            "transpose it or leave it out"
        )
    return int(pitch)  # pyright: ignore[reportArgumentType]


def as_chord(pitches: Iterable[object], place: str) -> Chord:
    """A chord from pitches and silence. `InputError` for what is neither."""
    return tuple(SILENCE if pitch == SILENCE else check_pitch(pitch, place) for pitch in pitches)
