"""From files of labelled sequences to arrays on disk, with all that training needs to know of them."""

import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from peephole.data.classification.config import ClassificationData
from peephole.data.classification.encoding import UNKNOWN, ClassificationEncoding
from peephole.data.classification.gathering import Gathered, Gathering
from peephole.data.classification.moments import Moments
from peephole.data.classification.sources import format_of
from peephole.data.classification.splitting import held_out
from peephole.data.classification.table_columns import check_features, feature_names
from peephole.data.sequences.store import Pair, write_part
from peephole.errors import InputError
from peephole.writing import write_whole

SHOWN = 5  # skipped sequences that the log names; the file names all

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Some of the sequences of some files."""

    gathered: Gathered
    numbers: Sequence[int]

    def labels(self) -> Counter[str]:
        return Counter(self.gathered.labels[number] for number in self.numbers)


def prepare(data: ClassificationData, folder: Path) -> ClassificationEncoding:
    """Read the files and write the parts `train`, `held_out` and, where there is one, `test` into `folder`.

    Beside them `sequences.json` says of each part how many sequences of each label it has, what was changed and what
    was skipped.

    Raises:
        InputError: a file that cannot be read, a malformed line, a label that training lacks, an empty part; `folder`
            is as it was.
    """
    if not data.files:
        raise InputError(
            "no file to learn from; expected .ts, .csv, labelled text, or folders of sound, a folder a label"
        )
    kind = format_of((*data.files, *data.held_out, *data.test), data)
    if kind == "csv":
        check_features((*data.files, *data.held_out, *data.test), data, feature_names(data.files[0], data))
    partial, shards = folder.with_name(f".{folder.name}.raw"), folder.with_name(".shards")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        gathering = Gathering(data, kind, partial, shards)
        parts, gathered = _parts(gathering, data)
        encoding = _learn(parts["train"], kind, data, gathering)
        _check(parts, encoding)
        try:
            for name, chosen in parts.items():
                write_part(folder / name, _encoded(chosen, encoding))
            described = {name: _described(chosen) for name, chosen in parts.items()}
            described["files"] = {name: _left_out(found) for name, found in gathered.items()}
            write_whole(folder / "sequences.json", json.dumps(described, indent=1, ensure_ascii=False).encode())
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(shards, ignore_errors=True)
    for found in gathered.values():
        _warn(found)
    return encoding


def _parts(gathering: Gathering, data: ClassificationData) -> tuple[dict[str, _Chosen], dict[str, Gathered]]:
    """Which sequences are in which part, and all that was read."""
    whole = gathering.gather("train", data.files)
    learned = np.flatnonzero(~whole.matched)
    if not len(learned):
        raise InputError(f"--test-match {data.test_match} finds itself in all names; expected some to learn from")
    known = {whole.labels[number] for number in learned}
    if len(known) < 2:
        raise InputError(
            f"one label, {known.pop()}, in all {len(learned)} sequences to learn from; expected two; "
            "give more files, or say by --label where names have the label"
        )
    gathered, parts = {"train": whole}, {"train": _Chosen(whole, learned.tolist())}
    if data.held_out:
        gathered["held_out"] = gathering.gather("held_out", data.held_out)
        parts["held_out"] = _Chosen(gathered["held_out"], range(len(gathered["held_out"].raw)))
    elif data.folds or data.held_out_share:
        labels = [whole.labels[number] for number in learned]
        chosen = held_out(labels, data.held_out_share, data.folds, data.fold, data.split_seed)
        parts = {name: _Chosen(whole, learned[of].tolist()) for name, of in (("train", ~chosen), ("held_out", chosen))}
    if data.test:
        gathered["test"] = gathering.gather("test", data.test)
        parts["test"] = _Chosen(gathered["test"], range(len(gathered["test"].raw)))
    elif data.test_match is not None and not whole.matched.any():
        raise InputError(
            f"--test-match {data.test_match} finds itself in none of {len(whole.matched):,} names; expected some to "
            "test on; mend it, or leave it away"
        )
    elif data.test_match is not None:
        parts["test"] = _Chosen(whole, np.flatnonzero(whole.matched).tolist())
    return parts, gathered


def _learn(train: _Chosen, kind: str, data: ClassificationData, gathering: Gathering) -> ClassificationEncoding:
    labels = tuple(sorted(train.labels(), key=_in_order))
    raw = train.gathered.raw
    if kind == "text":
        counts: Counter[str] = Counter()
        for number in train.numbers:
            counts.update(map(chr, raw.sequence(number)[0].tolist()))
        known = sorted(symbol for symbol, count in counts.items() if count >= data.min_count)
        return ClassificationEncoding("symbols", labels, symbols=(UNKNOWN, *known))
    moments = Moments()
    for number in train.numbers:
        moments.add(raw.sequence(number)[0].astype(np.float32, copy=False))
    mean, scale = np.atleast_1d(moments.mean), moments.scale
    names = feature_names(data.files[0], data) if kind == "csv" else ()
    return ClassificationEncoding(
        "sound" if kind == "sound" else "numbers",
        labels,
        features=names,
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        filterbank=gathering.filterbank,
    )


def _in_order(label: str) -> tuple[bool, float, str]:
    """Labels that are whole numbers by size, others by their letters after them."""
    number = label.isdecimal()
    return not number, float(label) if number else 0.0, label


def _check(parts: dict[str, _Chosen], encoding: ClassificationEncoding) -> None:
    """Every part has labels that training has, and steps of as many numbers."""
    for chosen in parts.values():
        for label in chosen.labels():
            encoding.place(label, chosen.gathered.places[label])
        first = chosen.gathered.raw.inputs
        if encoding.kind != "symbols" and first.shape[1] != len(encoding.mean):
            place = next(iter(chosen.gathered.places.values()))
            raise InputError(f"{place}: {first.shape[1]} values a step; expected {len(encoding.mean)}, as in training")


def _encoded(chosen: _Chosen, encoding: ClassificationEncoding) -> Iterator[Pair]:
    for number in chosen.numbers:
        raw = chosen.gathered.raw.sequence(number)[0]
        target = np.array([encoding.labels.index(chosen.gathered.labels[number])])
        if encoding.kind == "symbols":
            yield encoding.characters("".join(map(chr, raw.tolist()))), target
        else:
            yield encoding.normalised(raw.astype(np.float32, copy=False), ""), target


def _described(chosen: _Chosen) -> dict[str, Any]:
    lengths = chosen.gathered.raw.lengths[np.asarray(chosen.numbers)]
    return {
        "sequences": len(chosen.numbers),
        "labels": dict(sorted(chosen.labels().items())),
        "steps": [int(lengths.min()), int(lengths.max())],
    }


def _left_out(gathered: Gathered) -> dict[str, Any]:
    skipped = [f"{one.name}: {one.reason}" for one in gathered.skipped]
    return {"skipped": skipped, "notes": list(gathered.notes)}


def _warn(gathered: Gathered) -> None:
    for note in gathered.notes:
        logger.warning("%s", note)
    if gathered.skipped:
        names = "; ".join(f"{one.name} ({one.reason})" for one in gathered.skipped[:SHOWN])
        more = f" and {len(gathered.skipped) - SHOWN} more" if len(gathered.skipped) > SHOWN else ""
        logger.warning("skipped %d of the sequences: %s%s", len(gathered.skipped), names, more)
