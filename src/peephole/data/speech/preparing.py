"""From recordings with transcripts to samples and units on disk, with all that training needs to know of them."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from peephole.data.classification.moments import Moments
from peephole.data.sequences.store import REMEDY, Pair, Part, write_part
from peephole.data.sound.filterbank import Filterbank, Hearing
from peephole.data.speech.config import SpeechData
from peephole.data.speech.encoding import SpeechEncoding, sound
from peephole.data.speech.gathering import Gathered, gather, samples_of, unreadable
from peephole.data.speech.spelling import Spelling
from peephole.data.speech.splitting import held_out
from peephole.data.speech.utterance import Skipped, Utterance
from peephole.divergence import ctc_steps
from peephole.errors import InputError
from peephole.writing import write_whole

HEARD = 1000  # recordings, at even distances, that the mean of the bands is taken of
NAMED = 10  # unknown units that are named


@dataclass(frozen=True)
class Said:
    """What is known of a recording of a part besides its samples."""

    name: str
    transcript: str
    speaker: str | None


@dataclass
class Kept:
    """What a part was written of: what is said in its recordings, and a digest of the samples of each."""

    said: list[Said] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)


@dataclass
class _Chosen:
    """The recordings of a part, and what is to be said of the files that they come from."""

    spoken: list[Utterance]
    skipped: list[Skipped]
    gathered: Gathered | None  # None of a part that was taken off another


def prepare(data: SpeechData, folder: Path) -> SpeechEncoding:
    """Read the files and write the parts `train`, `held_out` and, where there is one, `test` into `folder`.

    Beside each `PART.json` has the names, transcripts and speakers of its recordings, and `recordings.json` says what
    was changed and what was skipped.

    Raises:
        InputError: a file that cannot be used, or a part without recordings; nothing is left then.
    """
    if not data.files:
        raise InputError("no file to learn from; expected a table of recordings with transcripts, or a folder of them")
    shards = folder.with_name(".shards")
    parts = _parts(data)
    rate = data.rate or _usual_rate(parts["train"])
    filterbank = Filterbank(rate, data.bands, data.frame_milliseconds, data.hop_milliseconds)
    Hearing(filterbank)  # one that cannot be is refused before anything is read
    spelling = Spelling.learn((one.transcript for one in parts["train"].spoken), data)
    flat = (0.0,) * data.bands, (1.0,) * data.bands
    encoding = SpeechEncoding(spelling, filterbank, *flat, data.normalise, data.stack)
    try:
        remarks: dict[str, Any] = {}
        known: set[bytes] = set()  # recordings that are learnt from
        for name, chosen in parts.items():
            arguments = (encoding, shards, data.workers, chosen.skipped)
            part, kept = write_part_of(folder / name, chosen.spoken, *arguments)
            changed = [] if chosen.gathered is None else chosen.gathered.notes(rate)
            if name == "train":
                encoding = _with_moments(encoding, part)
                known = set(kept.digests)
            elif both := sum(digest in known for digest in kept.digests):
                changed.append(f"{both:,} of {len(kept.digests):,} recordings are in the training part too")
            remarks[name] = {
                "notes": [*changed, *_unknown(chosen.spoken, spelling)],
                "skipped": [f"{one.name}: {one.reason}" for one in chosen.skipped],
            }
        write_whole(folder / "recordings.json", json.dumps(remarks, indent=1, ensure_ascii=False).encode())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(shards, ignore_errors=True)
    return encoding


def write_part_of(
    folder: Path,
    spoken: Sequence[Utterance],
    encoding: SpeechEncoding,
    shards: Path,
    workers: int,
    skipped: list[Skipped],
) -> tuple[Part, Kept]:
    """Write recordings as a part with `PART.json` beside it; those too short for their units, or torn, are added to
    `skipped`.

    Raises:
        InputError: none is left.
    """
    kept, before = Kept(), len(skipped)
    whole = samples_of(spoken, encoding.filterbank.rate, shards, workers)
    try:
        part = write_part(folder, _fitting(spoken, whole, encoding, kept, skipped), ragged=True)
    except InputError as error:
        if kept.said or len(skipped) == before:
            raise
        raise InputError(f"{error}; skipped {skipped[-1].name}: {skipped[-1].reason}") from None
    described = [[one.name, one.transcript, one.speaker] for one in kept.said]
    write_whole(folder.with_name(f"{folder.name}.json"), json.dumps(described, ensure_ascii=False).encode())
    return part, kept


def read_said(folder: Path, part: str) -> list[Said]:
    """Names, transcripts and speakers of a part, in its order. `InputError` where they are gone."""
    path = folder / f"{part}.json"
    try:
        return [Said(*one) for one in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: missing or damaged ({error}); {REMEDY}") from None


def _parts(data: SpeechData) -> dict[str, _Chosen]:
    """Which recordings are in which part."""
    whole = gather(data.files, data)
    if data.speaker is not None and all(one.speaker is None for one in whole.spoken):
        raise InputError(
            f"--speaker {data.speaker} finds nothing in {whole.spoken[0].path} nor elsewhere; expected a speaker"
        )
    parts = {"train": _Chosen(whole.spoken, whole.skipped, whole)}
    if not data.held_out and data.held_out_share:
        chosen = held_out(whole.spoken, data).tolist()
        learnt, taken = ([one for one, out in zip(whole.spoken, chosen, strict=True) if out == of] for of in (0, 1))
        parts = {"train": _Chosen(learnt, whole.skipped, whole), "held_out": _Chosen(taken, [], None)}
    for name, paths in (("held_out", data.held_out), ("test", data.test)):
        if paths:
            found = gather(paths, data)
            parts[name] = _Chosen(found.spoken, found.skipped, found)
    return parts


def _usual_rate(chosen: _Chosen) -> int:
    assert chosen.gathered is not None
    return chosen.gathered.rates.most_common(1)[0][0]


def _fitting(
    spoken: Sequence[Utterance],
    samples: Iterator[NDArray[np.int16]],
    encoding: SpeechEncoding,
    kept: Kept,
    skipped: list[Skipped],
) -> Iterator[Pair]:
    """Samples and units of recordings that have as many steps as their units need."""
    for one, sounds in zip(spoken, samples, strict=True):
        if not len(sounds):
            skipped.append(Skipped(one.place, unreadable(one.path)))
            continue
        units = encoding.spelling.numbers(one.transcript)
        steps, needed = encoding.steps(len(sounds)), ctc_steps(torch.tensor(units))
        if steps < needed:
            seconds = len(sounds) / encoding.filterbank.rate
            advice = " (lower --stack)" if encoding.filterbank.count(len(sounds)) >= needed else ""
            reason = f"{seconds:.2g} s are {steps} steps; its {len(units)} units need {needed}{advice}"
            skipped.append(Skipped(one.place, reason))
            continue
        kept.said.append(Said(str(one.path), one.transcript, one.speaker))
        kept.digests.append(hashlib.blake2b(sounds.tobytes(), digest_size=16).digest())
        yield sounds, units


def _with_moments(encoding: SpeechEncoding, part: Part) -> SpeechEncoding:
    """With mean and scale of the bands over recordings of the training part."""
    moments = Moments()
    for number in np.unique(np.linspace(0, len(part) - 1, HEARD).astype(np.int64)).tolist():
        moments.add(encoding.filterbank.frames(sound(part.sequence(number)[0]), encoding.filterbank.rate))
    return replace(encoding, mean=tuple(np.atleast_1d(moments.mean).tolist()), scale=tuple(moments.scale.tolist()))


def _unknown(spoken: Sequence[Utterance], spelling: Spelling) -> list[str]:
    """What in transcripts is none of the units."""
    counts: Counter[str] = Counter()
    for one in spoken:
        counts.update(spelling.unknown(one.transcript))
    if not counts:
        return []
    kind = "words" if spelling.units == "words" else "characters"
    some = ", ".join(repr(part) for part, _ in counts.most_common(NAMED)) + (", …" if len(counts) > NAMED else "")
    return [f"{counts.total():,} {kind} of the transcripts are none of the units, which cannot be said: {some}"]
