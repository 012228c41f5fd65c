"""From pieces to arrays on disk, with all that training needs to know of them."""

import logging
import shutil
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from peephole.data.music.config import MusicData
from peephole.data.music.encoding import MusicEncoding, fewest
from peephole.data.music.gathering import Gathered, find_music, gather, has_midi
from peephole.data.music.midi import USUAL_TEMPO
from peephole.data.music.piece import SILENCE, Piece, sounding
from peephole.data.sequences.store import Pair, write_part
from peephole.errors import InputError

SHOWN = 5  # skipped pieces that the log names; the encoding names all
FINE = 4  # steps a beat where MIDI is read: sixteenths
FEWEST = 4  # steps of a lone piece, of which half are to learn from and half to hold out

logger = logging.getLogger(__name__)


def prepare(data: MusicData, folder: Path) -> MusicEncoding:
    """Read the pieces and write the parts `train`, `held_out` and, where there are some, `test` into `folder`.

    Raises:
        InputError: a file that cannot be used, or a part without pieces; `folder` is as it was.
    """
    if not data.files:
        raise InputError("no music to learn from; expected MIDI files, piano-roll JSON, or folders of them")
    given = {"train": data.files, "held_out": data.held_out, "test": data.test}
    files = {part: find_music(paths) for part, paths in given.items()}
    by_beat = data.steps_per_beat or (FINE if any(map(has_midi, files.values())) else 1)
    shards = folder.with_name(".shards")
    gathered = {part: gather(found, part, by_beat, shards, data.workers) for part, found in files.items() if found}
    pieces = _split(_parts(gathered), data)
    skipped = tuple(name for found in gathered.values() for name in found.skipped)
    for part, of_part in pieces.items():
        if not of_part:
            reason = f"; skipped: {'; '.join(skipped[:SHOWN])}" if skipped else "; give more"
            raise InputError(f"the {part.replace('_', '-')} part has no pieces with notes{reason}")
    remarks = [note for found in gathered.values() for note in found.notes]
    encoding = replace(_learn(pieces["train"], data, by_beat), skipped=skipped)
    remarks += _remarks(pieces, encoding, data)
    try:
        for part, of_part in pieces.items():
            write_part(folder / part, _arrays(of_part, encoding, data.longest_piece))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(shards, ignore_errors=True)
    for note in remarks:
        logger.warning("%s", note)
    if skipped:
        more = f" and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
        logger.warning("%d pieces skipped: %s%s", len(skipped), "; ".join(skipped[:SHOWN]), more)
    return replace(encoding, remarks=tuple(remarks))


def _parts(gathered: dict[str, Gathered]) -> dict[str, list[Piece]]:
    """Pieces by part, whichever option their files were given by."""
    found: dict[str, list[Piece]] = {}
    for of_option in gathered.values():
        for part, pieces in of_option.parts.items():
            found.setdefault(part, []).extend(pieces)
    return found


def _split(parts: dict[str, list[Piece]], data: MusicData) -> dict[str, list[Piece]]:
    """The parts with something held out: what is given for it, a share of the pieces at even distances, or, of one
    piece, its end.
    """
    train = parts["train"]
    if "held_out" in parts or not train:
        return parts
    if len(train) == 1:
        (piece,) = train
        if len(piece) < FEWEST:
            raise InputError(f"{piece.name}: {len(piece)} steps; expected {FEWEST} or more to hold some out")
        cut = min(max(2, round(len(piece) * (1 - data.held_out_share))), len(piece) - 2)
        begin, end = (replace(piece, chords=chords) for chords in (piece.chords[:cut], piece.chords[cut:]))
        kept, chosen = ([] if half.is_silent else [half] for half in (begin, end))
    else:
        count = min(max(1, round(len(train) * data.held_out_share)), len(train) - 1)
        numbers = set(np.floor((np.arange(count) + 0.5) * len(train) / count).astype(int).tolist())
        kept = [piece for number, piece in enumerate(train) if number not in numbers]
        chosen = [piece for number, piece in enumerate(train) if number in numbers]
    return {**parts, "train": kept, "held_out": chosen}


def _learn(train: Sequence[Piece], data: MusicData, by_beat: int) -> MusicEncoding:
    tempos = [piece.beats_per_minute for piece in train if piece.beats_per_minute]
    tempo = float(statistics.median(tempos)) if tempos else USUAL_TEMPO
    if data.notes == "chords":
        return MusicEncoding("chords", 0, False, by_beat, tempo)
    if _in_columns(train):
        return MusicEncoding("voices", len(train[0].chords[0]), True, by_beat, tempo)
    voices = min(data.most_voices, max(len(sounding(chord)) for piece in train for chord in piece.chords))
    return MusicEncoding("voices", voices, False, by_beat, tempo)


def _in_columns(pieces: Sequence[Piece]) -> bool:
    """Whether every step has as many places, whose order says more than which pitch is higher: those are voices."""
    chords = [chord for piece in pieces for chord in piece.chords]
    if len({len(chord) for chord in chords}) != 1 or not all(piece.ordered for piece in pieces):
        return False
    rising = all(list(chord) == sorted(chord) for chord in chords)
    falling = all(list(chord) == sorted(chord, reverse=True) for chord in chords)
    return any(SILENCE in chord for chord in chords) or not (rising or falling)


def _remarks(pieces: dict[str, list[Piece]], encoding: MusicEncoding, data: MusicData) -> list[str]:
    """What the arrays lack of the pieces."""
    whole = [piece for of_part in pieces.values() for piece in of_part]
    found: list[str] = []
    if encoding.notes == "voices" and not encoding.in_columns:
        lost = sum(
            len(sounding(chord)) - len(fewest(chord, encoding.voices)) for piece in whole for chord in piece.chords
        )
        if lost:
            found.append(f"{lost:,} notes left out of chords of more than {encoding.voices} (--most-voices)")
    cut = sum(len(piece) > data.longest_piece for piece in whole)
    if cut:
        found.append(f"{cut:,} pieces longer than {data.longest_piece:,} steps cut into parts (--longest-piece)")
    return found


def _arrays(pieces: Sequence[Piece], encoding: MusicEncoding, longest: int) -> Iterator[Pair]:
    for piece in pieces:
        for stretch in piece.stretches(longest):
            yield encoding.arrays(stretch)
