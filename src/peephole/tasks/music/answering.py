"""Pieces from files, or steps from a pipe, to what a net expects next."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from peephole.data.music.encoding import MusicEncoding
from peephole.data.music.gathering import find_music, gather
from peephole.data.music.piece import SILENCE, Chord, Piece, as_chord, sounding
from peephole.errors import InputError
from peephole.generate.chords import ChordStream
from peephole.tasks.music.answer import NextNotes


def read_pieces(files: Sequence[Path], encoding: MusicEncoding) -> list[Piece]:
    """The pieces of files in the steps that training had, whatever part JSON calls them.

    Raises:
        InputError: a file that cannot be used, or none with notes.
    """
    with TemporaryDirectory() as folder:
        found = gather(find_music(files), "train", encoding.steps_per_beat, Path(folder) / "shards")
    pieces = [encoding.fitted(piece) for of_part in found.parts.values() for piece in of_part]
    if not pieces:
        raise InputError(f"no piece with notes: {'; '.join(found.skipped[:3]) or 'the files are empty'}; give another")
    return pieces


def answers_to_pieces(stream: ChordStream, pieces: Sequence[Piece]) -> Iterator[NextNotes]:
    """An answer at every step of every piece."""
    for piece in pieces:
        stream.forget()
        for step, chord in enumerate(piece.chords, 1):
            yield NextNotes(f"{piece.name}, step {step}", chord, stream.hear(chord), stream.expected())


def answers_to_lines(
    stream: ChordStream, encoding: MusicEncoding, lines: Iterator[str], name: str
) -> Iterator[NextNotes]:
    """An answer at every line, `60 64 67` with - for silence; an empty line begins another piece."""
    stream.forget()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            stream.forget()
            continue
        chord = read_line(line, f"{name}, line {number}", encoding)
        yield NextNotes(f"line {number}", chord, stream.hear(chord), stream.expected())


def read_line(line: str, place: str, encoding: MusicEncoding) -> Chord:
    """The chord that a line spells. `InputError` for what is no pitch, or for more voices than training had."""
    pitches: list[int] = []
    for word in line.replace(",", " ").split():
        try:
            pitches.append(SILENCE if word == "-" else int(word))
        except ValueError:
            raise InputError(
                f"{place}: got {word[:40]!r}; expected MIDI pitches with spaces between, - for silence"
            ) from None
    chord = as_chord(pitches, place)
    if encoding.in_columns:
        if len(chord) != encoding.voices:
            raise InputError(
                f"{place}: {len(chord)} voices; expected {encoding.voices}, as in training, with - for one that rests"
            )
        return chord
    return sounding(chord)
