"""From pieces to parts: formats, what is held out, what is skipped and said, and what is refused."""

import json
import logging
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from peephole.data.music.config import MusicData
from peephole.data.music.encoding import MusicEncoding
from peephole.data.music.midi import midi_bytes
from peephole.data.music.piano_roll_json import read_json, write_json
from peephole.data.music.piece import Piece, roll_of
from peephole.data.music.preparing import prepare
from peephole.data.music.transposing import Transposing
from peephole.data.sequences.store import Part, open_part
from peephole.errors import InputError


def saved(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def part(folder: Path, name: str) -> Part:
    return open_part(folder / "data" / name)


def test_parts_of_json_and_what_a_net_reads(tmp_path: Path) -> None:
    pieces = {"train": [[[60, 64], [62], []], [[70], [71]]], "valid": [[[60], [61]]], "test": [[[21], [108]]]}
    encoding = prepare(MusicData((saved(tmp_path / "a.json", pieces),)), tmp_path / "data")
    inputs, targets = part(tmp_path, "train").sequence(0)
    assert np.array_equal(targets, roll_of(((60, 64), (62,), ())))
    assert np.array_equal(inputs, roll_of(((), (60, 64), (62,))))
    assert [len(part(tmp_path, name)) for name in ("train", "held_out", "test")] == [2, 1, 1]
    assert (encoding.steps_per_beat, encoding.beats_per_minute, encoding.skipped) == (1, 100.0, ())
    assert MusicEncoding.from_dict(json.loads(json.dumps(encoding.as_dict()))) == encoding


def test_files_for_a_part_and_the_parts_within_them(tmp_path: Path) -> None:
    whole = saved(tmp_path / "a.json", {"train": [[[60], [61]]] * 3, "test": [[[70], [71]]]})
    plain = saved(tmp_path / "b.json", [[[80], [81]]] * 2)
    data = MusicData((plain,), held_out=(plain,), test=(whole,))
    prepare(data, tmp_path / "data")
    assert [len(part(tmp_path, name)) for name in ("train", "held_out", "test")] == [2, 2, 1]
    prepare(MusicData((whole,), held_out=(plain, whole)), tmp_path / "again" / "data")
    assert [len(part(tmp_path / "again", name)) for name in ("train", "held_out", "test")] == [3, 6, 1]


def test_voices_from_the_highest_down_or_as_columns(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", {"train": [[[40, 60, 50], [60], [50, 61]]], "valid": [[[60], []]]})
    encoding = prepare(MusicData((path,), notes="voices"), tmp_path / "data")
    assert (encoding.voices, encoding.in_columns) == (3, False)
    inputs, targets = part(tmp_path, "train").sequence(0)
    assert (targets.reshape(3, 3)[:, 0] + 20).tolist() == [60, 60, 61]
    assert targets.reshape(3, 3)[1].tolist() == [40, 0, 0]
    assert inputs.tolist() == [
        0,
        *(1 + 89 * voice + symbol for voice, symbol in zip(cycle([0, 1, 2]), targets[:-1], strict=False)),
    ]
    assert [encoding.chord(row) for row in targets.reshape(3, 3).tolist()] == [(60, 50, 40), (60,), (61, 50)]
    assert np.array_equal(encoding.roll(targets), roll_of(((40, 60, 50), (60,), (50, 61))))

    columns = saved(tmp_path / "b.json", {"train": [[[60, -1], [-1, 72]]], "valid": [[[60, 61], [60, 61]]]})
    encoding = prepare(MusicData((columns,), notes="voices"), tmp_path / "columns")
    assert (encoding.voices, encoding.in_columns) == (2, True)
    assert open_part(tmp_path / "columns" / "train").targets.tolist() == [40, 0, 0, 52]
    from_midi = encoding.fitted(Piece("b.mid", ((72, 60, 50), (60,), ()), None, False))
    assert from_midi.chords == ((72, 50), (60, -1), (-1, -1))
    with pytest.raises(InputError, match=r"new, step 1: 1 voices; expected 2, as in training"):
        encoding.symbols([(60,)], "new")


def test_columns_are_voices_where_their_order_says_something(tmp_path: Path) -> None:
    for name, first, wanted in [("rising", [50, 60], False), ("falling", [60, 50], False), ("rest", [60, -1], True)]:
        second = [first[0] + 1, first[1] if first[1] < 0 else first[1] + 1]
        path = saved(tmp_path / f"{name}.json", [[first, second]] * 3)
        found = prepare(MusicData((path,), notes="voices"), tmp_path / name)
        assert (found.in_columns, found.voices) == (wanted, 2), name
    crossing = saved(tmp_path / "crossing.json", [[[60, 50], [55, 58]]] * 3)
    assert prepare(MusicData((crossing,), notes="voices"), tmp_path / "crossing").in_columns


def test_melody_and_bass_stay_where_there_are_too_many_notes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved(tmp_path / "a.json", {"train": [[[40, 50, 55, 60], [60]]], "valid": [[[60], []]]})
    encoding = prepare(MusicData((path,), notes="voices", most_voices=2), tmp_path / "data")
    assert encoding.chord(part(tmp_path, "train").targets[:2].tolist()) == (60, 40)
    assert encoding.remarks == ("2 notes left out of chords of more than 2 (--most-voices)",)
    assert encoding.remarks[0] in caplog.text


def test_folders_of_midi_with_what_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.mid").write_bytes(midi_bytes(((60 + number,), (62,)), 4, 80.0))
    (folder / "empty.MID").write_bytes(midi_bytes((), 4))
    (folder / "broken.midi").write_bytes(b"MThd")
    (folder / "notes.txt").write_text("no music")
    with caplog.at_level(logging.WARNING):
        encoding = prepare(MusicData((folder,), held_out_share=0.2), tmp_path / "run" / "data")
    parts = [open_part(tmp_path / "run" / "data" / name) for name in ("train", "held_out")]
    assert [len(found) for found in parts] == [8, 2]
    assert encoding.steps_per_beat == 4
    assert abs(encoding.beats_per_minute - 80) <= 1e-3
    broken, empty = encoding.skipped
    assert broken.startswith(f"{folder / 'broken.midi'}: damaged MIDI (it ends too early)")
    assert empty == f"{folder / 'empty.MID'}: no notes"
    assert "2 pieces skipped" in caplog.text
    assert not (tmp_path / "run" / ".shards").exists()
    with pytest.raises(InputError, match=r"broken.midi: damaged MIDI"):
        prepare(MusicData((folder / "broken.midi", folder)), tmp_path / "again")


def test_a_lone_piece_is_cut_and_long_ones_are_parted(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", [[[60 + step % 12] for step in range(100)]])
    encoding = prepare(MusicData((path,), longest_piece=40), tmp_path / "data")
    assert part(tmp_path, "train").lengths.tolist() == [30, 30, 30]
    assert part(tmp_path, "held_out").lengths.tolist() == [10]
    assert encoding.remarks == ("1 pieces longer than 40 steps cut into parts (--longest-piece)",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[[60],", "a.json, line 1: no JSON"),
        ("3", "a.json: got int; expected a list of pieces"),
        ('{"training": []}', "a.json: got parts called 'training'; expected"),
        ('{"train": [[[60], [200]]]}', "a.json, train, piece 1, step 2: got '200'; expected a MIDI pitch from 21"),
        ("[[[60], 61]]", "a.json, piece 1, step 2: got '61'; expected a list of pitches"),
        ("[[[60], [true]]]", "a.json, piece 1, step 2: got 'True'; expected a MIDI pitch"),
        ("[[[60], [60.5]]]", "a.json, piece 1, step 2: got '60.5'; expected a MIDI pitch"),
        ("[[[]], [[], []]]", "the train part has no pieces with notes; skipped: a.json 1: no notes; a.json 2"),
        ('{"train": [[[60], [61]]], "valid": [], "test": []}', "the held-out part has no pieces with notes"),
        ("[[[60], [61]]]", "a.json 1: 2 steps; expected 4 or more to hold some out"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_left(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError) as caught:
        prepare(MusicData((tmp_path / "a.json",)), tmp_path / "data")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no music")
    for paths, said in [((), "no music to learn from"), ((tmp_path / "a.txt",), "expected .mid, .midi or .json"),
                        ((tmp_path / "b.mid",), "no such file"), ((tmp_path,), "a folder without music")]:  # fmt: skip
        with pytest.raises(InputError, match=said):
            prepare(MusicData(paths), tmp_path / "data")


def test_json_comes_back(tmp_path: Path) -> None:
    chords = ((60, 64), (), (21,))
    (tmp_path / "a.json").write_text(write_json(chords))
    assert read_json(tmp_path / "a.json")["train"][0].chords == chords
    assert read_json(saved(tmp_path / "b.json", [[[60.0]]]))["train"][0].chords == ((60,),)


@pytest.mark.parametrize("notes", ["chords", "voices"])
def test_transposing_moves_every_note_and_nothing_else(notes: str, tmp_path: Path) -> None:
    chords = ((60, 55, 23), (62,), (), (61, 30))
    encoding = MusicEncoding(notes, 3 if notes == "voices" else 0, False, 1, 100.0)  # pyright: ignore[reportArgumentType]
    pair = encoding.arrays(Piece("a", chords))
    random = np.random.default_rng(0)
    moved = Transposing(5)
    seen = set()
    for _ in range(100):
        found = moved(pair, random)
        first = next(by for by in range(-5, 6) if np.array_equal(found[1], encoding.arrays(shifted(chords, by))[1]))
        assert np.array_equal(found[0], encoding.arrays(shifted(chords, first))[0])
        assert [one.dtype for one in found] == [one.dtype for one in pair]
        seen.add(first)
    assert seen == set(range(-2, 6))  # 23 is two above the lowest key
    stays = [Transposing(5, 0.5)(pair, random) is pair for _ in range(400)]
    assert 0.4 <= np.mean(stays) <= 0.6  # four standard deviations


def shifted(chords: tuple[tuple[int, ...], ...], by: int) -> Piece:
    return Piece("a", tuple(tuple(pitch + by for pitch in chord) for chord in chords))
