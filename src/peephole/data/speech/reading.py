"""Tables and folders of recordings with their transcripts."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from peephole.data.sound.recordings import SOUND
from peephole.data.speech.config import SpeechData
from peephole.data.speech.utterance import Skipped, Utterance
from peephole.data.tagging.reading import numbered_lines
from peephole.errors import InputError

TRANSCRIPTS = ".trans.txt"
HEADER = ("path", "transcript")  # first cells of a first line that says what the columns are; speaker may follow
LINE = "a recording, a tab and what is said in it"
EXPECTED = f"expected {LINE}"


def utterances(paths: Iterable[Path], data: SpeechData, skipped: list[Skipped]) -> Iterator[Utterance]:
    """All that tables and folders name, in order; recordings or transcripts alone are added to `skipped`.

    Raises:
        InputError: a path that is not there, a folder without transcripts, a malformed line, a table's recording that
            is not there.
    """
    for path in paths:
        if path.is_dir():
            yield from _folder(path, data, skipped)
        elif path.exists():  # a pipe too
            yield from _table(path, data, skipped)
        else:
            raise InputError(f"{path}: not there; expected a table of recordings, or a folder of them; mend the path")


def sound_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Files as they are, and those of sound in the folders among them, sorted; hidden ones are left out."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if file.suffix.lower() in SOUND and file.is_file() and not hidden:
                yield file


def listed(table: Path, encoding: str) -> Iterator[Path]:
    """The recordings that a table names, whether or not it says what is said in them.

    Raises:
        InputError: one is not there.
    """
    for number, line in numbered_lines(table, encoding):
        name = line.split("\t")[0].strip()
        if not name or (number == 1 and name.lower() == HEADER[0]):
            continue
        if not (table.parent / name).is_file():
            raise InputError(f"{table}, line {number}: no recording {name}; expected one, from {table.parent} on")
        yield table.parent / name


def _table(path: Path, data: SpeechData, skipped: list[Skipped]) -> Iterator[Utterance]:
    if path.suffix.lower() in SOUND:
        raise InputError(f"{path}: a recording without a transcript; give a table of a line each: {LINE}")
    named, found = False, 0
    for number, line in numbered_lines(path, data.encoding):
        place = f"{path}, line {number}"
        cells = [cell.strip() for cell in line.split("\t")]
        if number == 1 and tuple(cell.lower() for cell in cells[:2]) == HEADER:
            named = cells[2:3] == ["speaker"]
            continue
        if not line.strip():
            continue
        if len(cells) < 2 or not cells[0]:
            raise InputError(f"{place}: got {line[:40]!r}; {EXPECTED}; mend the line")
        recording = path.parent / cells[0]
        if not recording.is_file():
            raise InputError(f"{place}: no recording {cells[0]}; expected one there, or a path from {path.parent} on")
        found += 1
        own = cells[2] if named and len(cells) > 2 else None
        yield from _said(recording, cells[1], place, own, data, skipped)
    if not found:
        raise InputError(f"{path}: no line in it; {EXPECTED}, a line each")


def _folder(folder: Path, data: SpeechData, skipped: list[Skipped]) -> Iterator[Utterance]:
    """LibriSpeech's layout (Panayotov et al. 2015): `ID WORDS…` a line, and ID.flac or ID.wav beside it."""
    tables = sorted(folder.rglob(f"*{TRANSCRIPTS}"))
    if not tables:
        raise InputError(
            f"{folder}: no *{TRANSCRIPTS} in it; expected LibriSpeech's layout; of another make a table: {LINE}"
        )
    told: set[Path] = set()
    for table in tables:
        recordings = {file.stem: file for file in sorted(table.parent.iterdir()) if file.suffix.lower() in SOUND}
        for number, line in numbered_lines(table, data.encoding):
            name, _, words = line.strip().partition(" ")
            place = f"{table}, line {number}"
            if not name:
                continue
            recording = recordings.get(name)
            if recording is None:
                skipped.append(Skipped(place, f"no recording {name} beside it"))
                continue
            told.add(recording)
            yield from _said(recording, words, place, name.split("-")[0] if "-" in name else None, data, skipped)
    for file in sound_files([folder]):
        if file not in told:
            skipped.append(Skipped(str(file), "no transcript"))


def _said(
    recording: Path, transcript: str, place: str, speaker: str | None, data: SpeechData, skipped: list[Skipped]
) -> Iterator[Utterance]:
    words = " ".join(transcript.split())
    if not words:
        skipped.append(Skipped(place, "an empty transcript"))
        return
    if data.speaker is not None:
        found = re.search(data.speaker, recording.as_posix())
        speaker = found.group(1) if found else None
    yield Utterance(recording, words.lower() if data.lower else words, place, speaker)
