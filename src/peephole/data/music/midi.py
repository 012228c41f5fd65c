"""MIDI files: notes on a grid of steps, and chords back to a file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.music.piece import HIGHEST, LOWEST, SILENCE, Chord, chords_of
from peephole.errors import InputError

DRUMS = 9  # the channel whose notes are kinds of drums, not pitches
DAMAGED = -1.0  # in the head of the notes of a file that could not be read
TICKS = 480  # a beat, in files that are written
LOUDNESS = 80  # of notes that are written, of 127
USUAL_TEMPO = 100.0  # beats a minute, where nothing says


@dataclass(frozen=True, eq=False)
class MidiNotes:
    """The notes of a file, on a grid.

    Attributes:
        notes: `[notes, 3]` of int64: first step, step after the last, pitch.
        beats_per_minute: the first tempo that it says; None where it says none.
        drums: notes of the drum channel, left out.
        outside: notes beyond the keys of a piano, left out.
    """

    notes: NDArray[np.int64]
    beats_per_minute: float | None
    drums: int
    outside: int

    @property
    def chords(self) -> tuple[Chord, ...]:
        """What sounds at each step, from the first note to the end of the last, from the highest pitch down."""
        if not len(self.notes):
            return ()
        first, steps = int(self.notes[:, 0].min()), int(self.notes[:, 1].max())
        roll = np.zeros((steps - first, HIGHEST - LOWEST + 1), bool)
        for start, end, pitch in self.notes.tolist():
            roll[start - first : end - first, pitch - LOWEST] = True
        return chords_of(roll)

    def as_array(self) -> NDArray[np.float32]:
        """`[1 + notes, 3]`: a head of tempo (0 where there is none), drums and outside; then the notes."""
        head = [[self.beats_per_minute or 0.0, self.drums, self.outside]]
        return np.concatenate([np.array(head), self.notes.reshape(-1, 3)]).astype(np.float32)

    @classmethod
    def from_array(cls, array: NDArray[np.float32]) -> "MidiNotes":
        """What `as_array` gave."""
        tempo, drums, outside = array[0].tolist()
        return cls(array[1:].astype(np.int64), tempo or None, int(drums), int(outside))


def check_installed() -> None:
    """Raise `InputError`, with the extra's name, where mido is missing."""
    try:
        import mido  # noqa: F401
    except ImportError:
        raise InputError("MIDI files need mido, which is not installed; pip install 'peephole[music]'") from None


def read_midi(path: Path, steps_per_beat: int) -> MidiNotes:
    """The notes of all tracks and channels but drums, rounded to steps, each at least a step long.

    Time is counted in beats, so that changes of tempo do not matter. The pedal is not looked at. A note that is struck
    again while it sounds goes on; one that is never released ends with the file.

    Raises:
        InputError: no MIDI file, a damaged one, or one whose time is not in beats.
    """
    check_installed()
    import mido

    try:
        file = mido.MidiFile(path, clip=True)
        ticks, kind = file.ticks_per_beat, file.type
        events = list(mido.merge_tracks(file.tracks)) if kind != 2 else []
    except EOFError:
        raise InputError(f"{path}: damaged MIDI (it ends too early); expected a whole file; leave it out") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path}: cannot be read as MIDI ({reason}); expected a .mid file; leave it out") from None
    except Exception as error:  # mido raises whatever a damaged byte leads to
        reason = str(error) or type(error).__name__
        raise InputError(f"{path}: damaged MIDI ({reason}); expected a whole file; leave it out") from None
    if kind == 2:
        raise InputError(f"{path}: MIDI of type 2, whose tracks have no common time; expected type 0 or 1")
    if not 0 < ticks < 1 << 15:
        raise InputError(f"{path}: MIDI whose time is in frames, not in beats; expected ticks a beat; export it anew")
    return _on_grid(events, ticks, steps_per_beat)


def _on_grid(events: Sequence[Any], ticks: int, steps_per_beat: int) -> MidiNotes:
    begun: dict[tuple[int, int], list[int]] = {}  # ticks at which a note of (channel, pitch) that sounds was struck
    notes: list[tuple[int, int, int]] = []
    drums = outside = now = 0
    tempo: float | None = None

    def end(key: tuple[int, int], start: int) -> None:
        first = round(start * steps_per_beat / ticks)
        notes.append((first, max(first + 1, round(now * steps_per_beat / ticks)), key[1]))

    for event in events:
        now += event.time
        if event.type == "set_tempo" and tempo is None and event.tempo:
            tempo = 60e6 / event.tempo  # from microseconds a beat
        if event.type not in ("note_on", "note_off"):
            continue
        struck = event.type == "note_on" and event.velocity > 0
        key = (event.channel, event.note)
        if event.channel == DRUMS or not LOWEST <= event.note <= HIGHEST:
            drums += struck and event.channel == DRUMS
            outside += struck and event.channel != DRUMS
        elif struck:
            begun.setdefault(key, []).append(now)
        elif begun.get(key):
            end(key, begun[key].pop(0))
    for key, starts in begun.items():
        for start in starts:
            end(key, start)
    return MidiNotes(np.array(sorted(notes), np.int64).reshape(-1, 3), tempo, drums, outside)


def midi_array(stamped: tuple[Path, int, int], steps_per_beat: int) -> NDArray[np.float32]:
    """`read_midi(…).as_array()`, with a head of `DAMAGED` alone for a file that cannot be used: a worker's job.

    Size and time stand beside the path so that work that was kept is not taken for that of a file that has changed.
    """
    try:
        return read_midi(stamped[0], steps_per_beat).as_array()
    except InputError:
        return np.full((1, 3), DAMAGED, np.float32)


def midi_bytes(chords: Sequence[Chord], steps_per_beat: int, beats_per_minute: float | None = None) -> bytes:
    """A MIDI file, type 0, of chords: a pitch that sounds at several steps in a row is one note, held."""
    check_installed()
    import mido

    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=round(60e6 / (beats_per_minute or USUAL_TEMPO)), time=0))
    sounding: set[int] = set()
    last = 0
    for step in range(len(chords) + 1):
        wanted = set(chords[step]) - {SILENCE} if step < len(chords) else set()
        now = round(step * TICKS / steps_per_beat)
        changes = [("note_off", pitch) for pitch in sorted(sounding - wanted)]
        changes += [("note_on", pitch) for pitch in sorted(wanted - sounding)]
        for kind, pitch in changes:
            track.append(mido.Message(kind, note=pitch, velocity=LOUDNESS, time=now - last))
            last = now
        sounding = wanted
    end = round(len(chords) * TICKS / steps_per_beat)
    track.append(mido.MetaMessage("end_of_track", time=end - last))  # silence at the end counts too
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS)
    file.tracks.append(track)
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()
