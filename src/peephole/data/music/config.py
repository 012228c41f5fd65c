"""The settings of pieces of music. Imports nothing heavy: `peephole --help` shows them without loading torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from peephole.errors import InputError

Notes = Literal["chords", "voices"]


@dataclass(frozen=True)
class MusicData:
    """Which pieces to read, how time is cut into steps, what to hold out, and what a net is to predict of a step.

    Raises:
        InputError: a setting lies outside its range.
    """

    # Pieces to learn from: MIDI files (.mid, .midi), piano-roll JSON, or folders that are searched for them. JSON is a
    # list of pieces, a piece a list of steps, a step a list of sounding pitches; or an object with such lists as train,
    # valid and test.
    files: tuple[Path, ...] = ()

    # Pieces to choose the best weights by. Without any, and without `valid` in JSON, a share of the pieces is held out.
    held_out: tuple[Path, ...] = ()

    # Pieces that are measured once, in the end, and never chosen by; beside `test` in JSON.
    test: tuple[Path, ...] = ()

    # Share of the pieces to choose by where none are given for it. Of one piece, its end.
    held_out_share: float = 0.1

    # What a step's answer is. chords: all 88 notes of a piano, each sounding or not, independent of each other given
    # what came before. voices: one note after another from the first voice to the last, each knowing those before it;
    # slower by the number of voices, and much surer.
    notes: Notes = "chords"

    # Steps a beat (a quarter note) that MIDI files are cut into; 4 keeps sixteenths. None: 4, or 1 where there is only
    # JSON, which does not say how long its steps are; what is written as MIDI goes by it.
    steps_per_beat: int | None = None

    # Longest stretch in steps; a longer piece is cut into several, because memory grows with the longest.
    longest_piece: int = 1024

    # Most voices a step for --notes voices; of more notes the lowest but one go first. Pianos play ten and more.
    most_voices: int = 8

    # Processes that read MIDI files. 0: as many as the machine has cores.
    workers: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.held_out_share < 1:
            raise InputError(
                f"--held-out-share is {self.held_out_share}; expected a share between 0 and 1, for example 0.1"
            )
        if self.notes not in get_args(Notes):
            raise InputError(f"--notes is {self.notes!r}; expected one of {', '.join(get_args(Notes))}")
        for name, least in (("longest_piece", 2), ("most_voices", 1), ("workers", 0)):
            if getattr(self, name) < least:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected at least {least}")
        if self.steps_per_beat is not None and not 1 <= self.steps_per_beat <= 96:
            raise InputError(f"--steps-per-beat is {self.steps_per_beat}; expected 1 to 96, for example 4")
