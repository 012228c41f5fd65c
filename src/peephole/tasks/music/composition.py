"""`Composition`: a piece that a net made."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peephole.data.music.midi import midi_bytes
from peephole.data.music.piano_roll_json import write_json
from peephole.data.music.piece import Chord, roll_of
from peephole.tasks.music.piano_roll import PianoRoll

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Composition:
    """Chords that were given, then chords that were drawn, and how long a step is."""

    chords: tuple[Chord, ...]
    primed: int
    steps_per_beat: int
    beats_per_minute: float

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.chords) / self.steps_per_beat * 60 / self.beats_per_minute

    @property
    def roll(self) -> PianoRoll:
        """The picture of it."""
        return PianoRoll(roll_of(self.chords) > 0, None, self.primed, "the piece")

    @property
    def verdict(self) -> str:
        """What it is, in a sentence."""
        given = f" {self.primed:,} steps of it were given." if self.primed else ""
        return f"{self.roll.verdict} It plays {self.seconds:.0f} s.{given}"

    def plot(self, ax: "Axes") -> None:
        """Keys over steps."""
        self.roll.plot(ax)

    def midi(self) -> bytes:
        """A MIDI file; a pitch of several steps in a row is one note."""
        return midi_bytes(self.chords, self.steps_per_beat, self.beats_per_minute)

    def json(self) -> str:
        """Piano-roll JSON, which can be learnt from and go on from."""
        return write_json(self.chords)
