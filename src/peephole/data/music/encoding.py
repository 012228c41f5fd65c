"""`MusicEncoding`: pieces to the arrays that a net reads, and answers back to chords."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from peephole.data.music.config import Notes
from peephole.data.music.piece import KEYS, LOWEST, SILENCE, Chord, Piece, roll_of, sounding
from peephole.data.sequences.store import Pair
from peephole.errors import InputError

NOTES = KEYS + 1  # what a voice may do at a step: rest, or one of the keys


@dataclass(frozen=True)
class MusicEncoding:
    """How pieces become arrays. A net reads a step and answers the next, and begins with silence.

    Attributes:
        notes: chords are rolls `[T, 88]`. Voices are symbols `[T * voices]`: the first voice of a step, the second, …
        voices: how many a step has; 0 for chords.
        in_columns: whether voices are the columns of the data; otherwise they go from the highest pitch down, with
            silence after the lowest.
        steps_per_beat: how steps become time in MIDI.
        beats_per_minute: the tempo in the middle of those of the training pieces.
        skipped: what was left out whole, in all parts; `remarks` say what was left out of others.
    """

    notes: Notes
    voices: int
    in_columns: bool
    steps_per_beat: int
    beats_per_minute: float
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "MusicEncoding":
        return cls(**{**values, "skipped": tuple(values["skipped"]), "remarks": tuple(values["remarks"])})

    @property
    def answers_per_step(self) -> int:
        """Answers that make a step: 1 of chords, and as many as voices."""
        return self.voices or 1

    @property
    def input_symbols(self) -> int:
        """Of voices: the beginning, and every note of every voice."""
        return 1 + self.voices * NOTES

    def fitted(self, piece: Piece) -> Piece:
        """The piece with its chords as columns where they have to be and it has no order of its own."""
        if piece.ordered or not self.in_columns:
            return piece
        chords = (fewest(chord, self.voices) for chord in piece.chords)
        filled = tuple(chord + (SILENCE,) * (self.voices - len(chord)) for chord in chords)
        return replace(piece, chords=filled, ordered=True)

    def arrays(self, piece: Piece) -> Pair:
        """What a net reads of a piece, and what is right: `[T, 88]` float32 both, or symbols `[T * voices]` of int64.

        Inputs are the answers one place later, behind a beginning; of voices each says which voice it is of.
        """
        if self.notes == "chords":
            roll = roll_of(piece.chords)
            return np.concatenate([np.zeros_like(roll[:1]), roll[:-1]]), roll
        piece = self.fitted(piece)
        targets = self.symbols(piece.chords, piece.name).reshape(-1)
        return np.concatenate([np.zeros(1, np.int64), self.entering(targets)[:-1]]), targets

    def entering(self, symbols: Int64[np.ndarray, " answers"], first: int = 0) -> Int64[np.ndarray, " answers"]:
        """What a net reads after answers of voices; `first` is the voice of the first of them."""
        voice = (first + np.arange(len(symbols))) % self.voices
        return (1 + voice * NOTES + symbols).astype(np.int64)

    def symbols(self, chords: Sequence[Chord], name: str) -> Int64[np.ndarray, "steps voices"]:
        """What each voice does at each step: 0 rests, 1 to 88 are the keys. `InputError` where columns do not fit."""
        found = np.zeros((len(chords), self.voices), np.int64)
        for step, chord in enumerate(chords):
            row = list(chord) if self.in_columns else list(fewest(chord, self.voices))
            if self.in_columns and len(row) != self.voices:
                raise InputError(
                    f"{name}, step {step + 1}: {len(row)} voices; expected {self.voices}, as in training, with "
                    f"{SILENCE} for one that rests"
                )
            found[step, : len(row)] = [0 if pitch == SILENCE else pitch - LOWEST + 1 for pitch in row]
        return found

    def chord(self, symbols: Sequence[int]) -> Chord:
        """The chord that voices make, from the symbols of one step."""
        return sounding(tuple(LOWEST + symbol - 1 if symbol else SILENCE for symbol in symbols))

    def roll(self, targets: np.ndarray) -> Float[np.ndarray, "steps keys"]:
        """The piano roll `[T, 88]` of what is right in a piece."""
        if self.notes == "chords":
            return np.asarray(targets, np.float32)
        return roll_of([self.chord(row) for row in np.asarray(targets).reshape(-1, self.voices).tolist()])


def fewest(chord: Chord, most: int) -> Chord:
    """A chord from the highest pitch down, of at most `most` notes: melody and bass stay, inner notes go first."""
    pitches = sounding(chord)
    if len(pitches) <= most:
        return pitches
    return (*pitches[: most - 1], pitches[-1]) if most > 1 else pitches[:1]
