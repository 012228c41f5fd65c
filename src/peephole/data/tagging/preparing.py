"""From files of labelled sentences to arrays on disk, with all that training needs to know of them."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from peephole.data.sequences.store import Pair, write_part
from peephole.data.tagging.config import TaggingData
from peephole.data.tagging.encoding import TaggingEncoding
from peephole.data.tagging.reading import read_files
from peephole.data.tagging.sentences import Reading, Sentence
from peephole.data.tagging.splitting import split
from peephole.errors import InputError
from peephole.writing import write_whole

SHOWN = 5  # skipped sentences that the log names; the file names all

logger = logging.getLogger(__name__)


def prepare(data: TaggingData, folder: Path) -> TaggingEncoding:
    """Read the files and write the parts `train`, `held_out` and, where there are files for it, `test` into `folder`.

    Beside them `sentences.json` says of each part how many sentences and words it has, which of its words training
    lacks, what its files have besides words, and which sentences were skipped.

    Raises:
        InputError: a file that cannot be read, a malformed line, a label that training lacks, an empty part; `folder`
            is as it was.
    """
    if not data.files:
        raise InputError("no file to learn from; expected labelled sentences: CoNLL-U, or a word and its label a line")
    readings = {"train": read_files(data.files, data)}
    if data.held_out:
        readings["held_out"] = read_files(data.held_out, data)
    else:
        whole = readings["train"]
        train, held_out = split(whole.sentences, data.held_out_share)
        readings = {"train": Reading(train, whole.passed, whole.skipped), "held_out": Reading(held_out)}
    if data.test:
        readings["test"] = read_files(data.test, data)
    encoding = TaggingEncoding.learn(readings["train"].sentences, data)
    for part, reading in readings.items():
        _check_labels(part, reading, encoding, data.skip)
    for part, reading in readings.items():
        write_part(folder / part, _arrays(reading.sentences, encoding))
        _warn(part, reading.skipped)
    described = {part: _described(reading, encoding) for part, reading in readings.items()}
    write_whole(folder / "sentences.json", json.dumps(described, indent=1, ensure_ascii=False).encode())
    return encoding


def _check_labels(part: str, reading: Reading, encoding: TaggingEncoding, skip: bool) -> None:
    """Every label is one that training has; sentences with others are refused or, with `skip`, left out."""
    kept: list[Sentence] = []
    for sentence in reading.sentences:
        place = encoding.unknown_label(sentence)
        if place is None or not skip:
            encoding.targets(sentence)  # refuses it
            kept.append(sentence)
        else:
            reading.skipped.append(
                f"{sentence.place(place)}: the label {sentence.labels[place]!r} is not in the training files"
            )
    if not kept:
        raise InputError(
            f"the {part.replace('_', '-')} part has no sentence left: its labels are not those of the training files; "
            "check --column"
        )
    reading.sentences = kept


def _arrays(sentences: Sequence[Sentence], encoding: TaggingEncoding) -> Iterator[Pair]:
    for sentence in sentences:
        yield encoding.inputs(sentence.words), encoding.targets(sentence)


def _described(reading: Reading, encoding: TaggingEncoding) -> dict[str, object]:
    unknown = sum(not encoding.word_id(word) for sentence in reading.sentences for word in sentence.words)
    return {
        "sentences": len(reading.sentences),
        "words": reading.words,
        "unknown words": unknown,
        "passed over": dict(reading.passed),
        "skipped": reading.skipped,
    }


def _warn(part: str, skipped: Sequence[str]) -> None:
    if skipped:
        more = f" and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
        logger.warning("%d sentences of %s skipped: %s%s", len(skipped), part, "; ".join(skipped[:SHOWN]), more)
