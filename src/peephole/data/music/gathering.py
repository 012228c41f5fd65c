"""All pieces of some files and folders, MIDI read in parallel, with what was left out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from peephole.data.music.midi import DAMAGED, MidiNotes, check_installed, midi_array, read_midi
from peephole.data.music.piano_roll_json import read_json
from peephole.data.music.piece import Piece
from peephole.data.sequences.preparing import prepared
from peephole.errors import InputError

MIDI, JSON = (".mid", ".midi"), (".json",)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gathered:
    """Pieces by part; `skipped` names those that were left out whole, `notes` says what was left out of others."""

    parts: dict[str, list[Piece]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """A file of music, and whether it was named itself rather than found in a folder."""

    path: Path
    named: bool


def find_music(paths: Sequence[Path]) -> list[Found]:
    """The files of music among `paths` and, in sorted order, in the folders among them, each once.

    Raises:
        InputError: something is missing, is no music by its name, or is a folder without music.
    """
    found: dict[Path, Found] = {}
    for path in paths:
        if path.is_dir():
            inside = [file for file in sorted(path.rglob("*")) if _is_music(file) and file.is_file()]
            if not inside:
                raise InputError(f"{path}: a folder without music; expected .mid, .midi or .json files in it")
            for file in inside:
                found.setdefault(file.resolve(), Found(file, False))
        elif not path.exists():
            raise InputError(f"{path}: no such file; expected MIDI (.mid, .midi), piano-roll JSON, or a folder")
        elif not _is_music(path):
            raise InputError(f"{path}: ends in {path.suffix or 'nothing'!r}; expected .mid, .midi or .json")
        else:
            found[path.resolve()] = Found(path, True)
    return list(found.values())


def has_midi(files: Sequence[Found]) -> bool:
    """Whether any of them is MIDI."""
    return any(file.path.suffix.lower() in MIDI for file in files)


def gather(files: Sequence[Found], part: str, steps_per_beat: int, shards: Path, workers: int = 0) -> Gathered:
    """Read the files that were given for a part. Of those to learn from, what JSON calls valid and test stands in parts
    of those names; of those for another part only what JSON calls so counts, or all where it calls nothing so.

    A piece without notes is skipped and named, and so is a damaged MIDI file that was found in a folder. Work on MIDI
    files is kept in `shards`, so that it goes on after a kill.

    Raises:
        InputError: a file that was named itself, or any JSON, is damaged.
    """
    gathered = Gathered(parts={part: []})
    songs = [file for file in files if file.path.suffix.lower() in MIDI]
    read = dict(zip((file.path for file in songs), _notes_of(songs, steps_per_beat, shards, workers), strict=True))
    drums = outside = 0
    for file in files:
        if file.path.suffix.lower() in JSON:
            for called, pieces in _of_part(read_json(file.path), part).items():
                gathered.parts.setdefault(called, [])  # one that is empty is not one that is missing
                for piece in pieces:
                    _add(gathered, called, piece)
            continue
        notes = read[file.path]
        if notes is None:
            reason = _refusal(file.path, steps_per_beat)
            if file.named:
                raise InputError(reason)
            gathered.skipped.append(reason)
            continue
        drums, outside = drums + notes.drums, outside + notes.outside
        _add(
            gathered,
            part,
            Piece(str(file.path), notes.chords, notes.beats_per_minute, ordered=False),
            bool(notes.drums),
        )
    if drums:
        gathered.notes.append(f"{drums:,} notes of drums (channel 10) left out")
    if outside:
        gathered.notes.append(f"{outside:,} notes beyond the keys of a piano (MIDI pitches 21 to 108) left out")
    return gathered


def _of_part(called: dict[str, list[Piece]], part: str) -> dict[str, list[Piece]]:
    """The pieces of one JSON file by the part that they are for."""
    if part == "train":
        return called
    return {part: called[part] if part in called else [piece for pieces in called.values() for piece in pieces]}


def _add(gathered: Gathered, part: str, piece: Piece, drums: bool = False) -> None:
    if piece.is_silent:
        gathered.skipped.append(f"{piece.name}: no notes{' but drums' if drums else ''}")
    elif len(piece) < 2:
        gathered.skipped.append(f"{piece.name}: one step; nothing follows it")
    else:
        gathered.parts[part].append(piece)


def _notes_of(songs: Sequence[Found], steps_per_beat: int, shards: Path, workers: int) -> list[MidiNotes | None]:
    """The notes of each MIDI file; None of those that cannot be used."""
    if not songs:
        return []
    check_installed()
    stamped = [(file.path, file.path.stat().st_size, file.path.stat().st_mtime_ns) for file in songs]
    arrays = prepared(
        stamped, partial(midi_array, steps_per_beat=steps_per_beat), shards, f"midi {steps_per_beat}", workers
    )
    return [None if array[0, 0] == DAMAGED else MidiNotes.from_array(array) for array in arrays]


def _refusal(path: Path, steps_per_beat: int) -> str:
    """What is wrong with a MIDI file, in a line."""
    try:
        read_midi(path, steps_per_beat)
    except InputError as error:
        return str(error)
    return f"{path}: changed while it was read; run again"


def _is_music(path: Path) -> bool:
    return path.suffix.lower() in (*MIDI, *JSON) and not path.name.startswith(".")
