"""From files of labelled sentences to arrays on disk, with all that training needs to know of them.

Files are read several times rather than kept, so that they may be larger than memory.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peephole.data.sequences.store import Pair, write_part
from peephole.data.tagging.config import TaggingData
from peephole.data.tagging.encoding import UNKNOWN, TaggingEncoding
from peephole.data.tagging.reading import read_files
from peephole.data.tagging.sentences import Sentence, Tally
from peephole.data.tagging.spans import check_installed
from peephole.data.tagging.splitting import held_out_digests
from peephole.errors import InputError
from peephole.writing import write_whole

SHOWN = 5  # skipped sentences that the log names; the file names all

logger = logging.getLogger(__name__)


@dataclass
class _Part:
    """Sentences that can be read again and again, and what was said of them when they were written."""

    read: Callable[[Tally], Iterator[Sentence]]
    tally: Tally = field(default_factory=Tally)
    unknown: int = 0


def prepare(data: TaggingData, folder: Path) -> TaggingEncoding:
    """Read the files and write the parts `train`, `held_out` and, where there are files for it, `test` into `folder`.

    Beside them `sentences.json` says of each part how many sentences and words it has, how many of these training
    lacks, what its files have besides words, and which sentences were skipped.

    Raises:
        InputError: a file that cannot be read, a malformed line, a label that training lacks, an empty part; the folder
            may have some of the parts then.
    """
    if not data.files:
        raise InputError("no file to learn from; expected labelled sentences: CoNLL-U, or a word and its label a line")
    parts = _parts(data)
    encoding = TaggingEncoding.learn(parts["train"].read(Tally()), data)
    if encoding.spans:
        check_installed()  # what it is judged by, said before any work
    for name, part in parts.items():
        write_part(folder / name, _arrays(name, part, encoding, data.skip))
    described = {name: _described(part) for name, part in parts.items()}
    write_whole(folder / "sentences.json", json.dumps(described, indent=1, ensure_ascii=False).encode())
    for name, part in parts.items():
        _warn(name, part.tally.skipped)
    return encoding


def _parts(data: TaggingData) -> dict[str, _Part]:
    if data.held_out:
        parts = {
            "train": _Part(lambda tally: read_files(data.files, data, tally)),
            "held_out": _Part(lambda tally: read_files(data.held_out, data, tally)),
        }
    else:
        chosen = held_out_digests(read_files(data.files, data), data.held_out_share)
        parts = {
            "train": _Part(
                lambda tally: (one for one in read_files(data.files, data, tally) if one.digest not in chosen)
            ),
            "held_out": _Part(lambda _: (one for one in read_files(data.files, data) if one.digest in chosen)),
        }
    if data.test:
        parts["test"] = _Part(lambda tally: read_files(data.test, data, tally))
    return parts


def _arrays(name: str, part: _Part, encoding: TaggingEncoding, skip: bool) -> Iterator[Pair]:
    """The arrays of a part; what has a label that training lacks is refused or, with `skip`, left out."""
    for sentence in part.read(part.tally):
        place = encoding.unknown_label(sentence)
        if place is not None and skip:
            label = sentence.labels[place]
            part.tally.skipped.append(f"{sentence.place(place)}: the label {label!r} is not in the training files")
            continue
        inputs, targets = encoding.inputs(sentence.words), encoding.targets(sentence)
        part.tally.add(sentence)
        part.unknown += int((inputs[:, 0] == UNKNOWN).sum())
        yield inputs, targets
    if not part.tally.sentences:
        raise InputError(
            f"the {name.replace('_', '-')} part has no sentence left: its labels are not those of the training files; "
            "check --column"
        )


def _described(part: _Part) -> dict[str, Any]:
    return {
        "sentences": part.tally.sentences,
        "words": part.tally.words,
        "unknown words": part.unknown,
        "passed over": dict(part.tally.passed),
        "skipped": part.tally.skipped,
    }


def _warn(name: str, skipped: list[str]) -> None:
    if skipped:
        more = f" and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
        logger.warning("%d sentences of %s skipped: %s%s", len(skipped), name, "; ".join(skipped[:SHOWN]), more)
