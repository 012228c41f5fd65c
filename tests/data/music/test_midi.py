"""MIDI files: notes on a grid as they were struck, what is left out, and chords that come back as they were written."""

from pathlib import Path

import mido
import pytest

from peephole.data.music.midi import MidiNotes, midi_array, midi_bytes, read_midi
from peephole.errors import InputError

Event = tuple[int, str, int, int]  # ticks since the one before, kind, channel, pitch


def written(path: Path, *tracks: list[Event], ticks: int = 96, tempo: int | None = None, kind: int = 1) -> Path:
    file = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    for number, events in enumerate(tracks):
        track = mido.MidiTrack()
        if tempo is not None and number == 0:
            track.append(mido.MetaMessage("set_tempo", tempo=tempo))
        for time, name, channel, pitch in events:
            velocity = 0 if name == "note_off" else 64
            track.append(mido.Message("note_on", note=pitch, velocity=velocity, channel=channel, time=time))
        file.tracks.append(track)
    file.save(path)
    return path


def test_notes_of_all_tracks_are_rounded_to_steps(tmp_path: Path) -> None:
    high = [(0, "note_on", 0, 72), (50, "note_off", 0, 72), (46, "note_on", 0, 74), (96, "note_off", 0, 74)]
    low = [(0, "note_on", 3, 48), (192, "note_off", 3, 48)]
    path = written(tmp_path / "two.mid", high, low, tempo=400_000)
    found = read_midi(path, 2)
    assert found.chords == ((72, 48), (48,), (74, 48), (74, 48))
    assert found.beats_per_minute == 150.0
    assert read_midi(path, 1).chords == ((72, 48), (74, 48))
    assert MidiNotes.from_array(found.as_array()).chords == found.chords


def test_silence_before_the_first_note_is_left_out_and_a_short_note_keeps_a_step(tmp_path: Path) -> None:
    path = written(tmp_path / "late.mid", [(960, "note_on", 0, 60), (1, "note_off", 0, 60), (95, "note_on", 0, 62)])
    assert read_midi(path, 1).chords == ((60,), (62,))


def test_a_note_that_is_struck_again_or_never_released(tmp_path: Path) -> None:
    again = [(0, "note_on", 0, 60), (96, "note_on", 0, 60), (96, "note_off", 0, 60), (96, "note_off", 0, 60)]
    assert read_midi(written(tmp_path / "again.mid", again), 1).chords == ((60,),) * 3
    never = [(0, "note_on", 0, 60), (0, "note_on", 0, 64), (192, "note_off", 0, 64)]
    assert read_midi(written(tmp_path / "never.mid", never), 1).chords == ((64, 60), (64, 60))


def test_drums_and_pitches_beyond_a_piano_are_counted_and_left_out(tmp_path: Path) -> None:
    events = [(0, "note_on", 9, 38), (0, "note_on", 0, 12), (0, "note_on", 0, 60), (96, "note_off", 0, 60)]
    found = read_midi(written(tmp_path / "drums.mid", events), 1)
    assert (found.chords, found.drums, found.outside) == (((60,),), 1, 1)
    assert found.beats_per_minute is None
    back = MidiNotes.from_array(found.as_array())
    assert (back.drums, back.outside, back.beats_per_minute) == (1, 1, None)


@pytest.mark.parametrize("steps_per_beat", [1, 4, 7])
def test_chords_come_back_as_they_were_written(steps_per_beat: int, tmp_path: Path) -> None:
    chords = ((72, 64), (72, 64), (), (74, 64, 40), (40,), (108, 21))
    path = tmp_path / "piece.mid"
    path.write_bytes(midi_bytes(chords, steps_per_beat, 90.0))
    found = read_midi(path, steps_per_beat)
    assert found.chords == chords
    assert abs((found.beats_per_minute or 0) - 90) <= 1e-3
    assert len(found.notes) == 7  # 72 and 40 are held over two steps; 64 is too, and struck anew after the silence


def test_a_voice_that_rests_makes_no_note(tmp_path: Path) -> None:
    (tmp_path / "rest.mid").write_bytes(midi_bytes(((60, -1), (-1, 62)), 1))
    assert read_midi(tmp_path / "rest.mid", 1).chords == ((60,), (62,))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it ends too early"),
        (b"RIFF and so on, no MIDI at all", "cannot be read as MIDI"),
        (midi_bytes(((60,),) * 4, 1)[:-9], "it ends too early"),
        (b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\x05\0\0", "running status without last_status"),
        (b"MThd\0\0\0\6\0\1\0\0\xe7\x28", "in frames, not in beats"),
        (b"MThd\0\0\0\6\0\2\0\0\0\x60", "MIDI of type 2"),
    ],
)
def test_files_that_cannot_be_used_are_named(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_midi(path, 4)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert midi_array((path, 0, 0), 4).tolist() == [[-1.0, -1.0, -1.0]]
