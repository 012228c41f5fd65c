"""From files of captions and their pictures to arrays on disk, with all that training needs to know of them."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from peephole.data.captioning.captions import Caption, read_captions
from peephole.data.captioning.config import CaptioningData
from peephole.data.captioning.encoding import UNKNOWN, CaptioningEncoding
from peephole.data.captioning.pictures import (
    SUFFIXES,
    Pictures,
    check_installed,
    open_pictures,
    read_picture,
    read_pictures,
    write_pictures,
)
from peephole.data.captioning.splitting import LEFT_OUT, drawn, listed
from peephole.data.sequences.store import Pair, write_part
from peephole.errors import InputError
from peephole.writing import write_whole

NAMES = "pictures.json"  # beside the parts: the file of each picture


def references_name(part: str) -> str:
    """The file beside the parts that has the words of a part's captions, those that training lacks too."""
    return f"references-{part}.json"


@dataclass
class _Part:
    """The captions of a part, those of a picture beside each other."""

    captions: list[Caption]
    words: int = 0
    unknown: int = 0
    cut: int = 0
    skipped: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> list[Path]:
        return list(dict.fromkeys(caption.picture for caption in self.captions))


def prepare(data: CaptioningData, folder: Path) -> CaptioningEncoding:
    """Read captions and pictures and write the parts `train`, `held_out` and, where there is one, `test` into `folder`.

    The inputs of a part are the number of the picture of each caption, its targets the caption's words. The pictures
    lie beside them once, `pictures.json` has their files, `references-*.json` all words of the captions of a part in
    its order, and `captions.json` says of each part how many captions and
    words it has, how many words training lacks, and what was skipped.

    Raises:
        InputError: a file that cannot be read, a malformed line, a picture in two parts, too many pictures that are
            missing or unreadable, an empty part; the folder may have some of the files then.
    """
    if not data.files:
        raise InputError(
            "no file to learn from; expected captions: the name of a picture, a tab and a caption a line, a csv table "
            "or COCO's annotations"
        )
    check_installed()
    shards = folder.with_name(".shards")
    parts = _read(data)
    paths = list(dict.fromkeys(path for part in parts.values() for path in part.pictures))
    found = write_pictures(folder, read_pictures(paths, data.size, shards, data.workers))
    unusable = [path for path, there in zip(paths, found, strict=True) if not there]
    _check_unusable(unusable, paths, data)
    kept = [path for path, there in zip(paths, found, strict=True) if there]
    numbers = {path: number for number, path in enumerate(kept)}
    _leave_out(parts, unusable, data.size)
    pictures = open_pictures(folder, data.size)
    digests = {path: hashlib.sha256(pictures[number].tobytes()).digest() for path, number in numbers.items()}
    if "held_out" not in parts:
        _hold_out(parts, digests, data)
    _check_parts(parts)
    mean, scale = _colours(pictures, [numbers[path] for path in parts["train"].pictures])
    encoding = CaptioningEncoding.learn((caption.words for caption in parts["train"].captions), mean, scale, data)
    if not encoding.spoken_words:
        raise InputError(
            f"no word is in {data.min_count} captions of the training part; expected words to learn; lower --min-count "
            "or give more captions"
        )
    for name, part in parts.items():
        write_part(folder / name, _arrays(part, numbers, encoding), ragged=True)
        references = [" ".join(caption.words) for caption in part.captions]
        write_whole(folder / references_name(name), json.dumps(references, ensure_ascii=False).encode())
    learnt = {digests[path] for path in parts["train"].pictures}
    described: dict[str, Any] = {name: _described(part) for name, part in parts.items()}
    for name in described.keys() - {"train"}:
        described[name]["copies"] = sum(digests[path] in learnt for path in parts[name].pictures)
    described["without a caption"] = _without_caption(paths)
    write_whole(folder / "captions.json", json.dumps(described, indent=1, ensure_ascii=False).encode())
    write_whole(folder / NAMES, json.dumps([str(path) for path in kept], ensure_ascii=False).encode())
    shutil.rmtree(shards, ignore_errors=True)
    return encoding


def _read(data: CaptioningData) -> dict[str, _Part]:
    """The captions of each part; without `held_out` where it is still to be drawn. Empty ones are counted."""
    learnt = list(read_captions(data.files, data))
    by_name = listed(data, learnt)
    chosen: dict[str, list[Caption]] = {"train": []}
    for caption in learnt:
        chosen.setdefault(by_name.get(caption.name, "train"), []).append(caption)
    chosen.pop(LEFT_OUT, None)
    for name, files in (("held_out", data.held_out), ("test", data.test)):
        if files:
            chosen[name] = list(read_captions(files, data))
    seen: dict[Path, str] = {}
    parts: dict[str, _Part] = {}
    for name, captions in chosen.items():
        for caption in captions:
            before = seen.setdefault(caption.picture, name)
            if before != name:
                raise InputError(
                    f"{caption.place}: {caption.name} is in the {before.replace('_', '-')} part too; expected each "
                    "picture in one part; take its captions out of one"
                )
        order = {path: place for place, path in enumerate(dict.fromkeys(caption.picture for caption in captions))}
        part = _Part(sorted((one for one in captions if one.words), key=lambda caption: order[caption.picture]))
        part.skipped = [f"{caption.place}: no word in the caption" for caption in captions if not caption.words]
        parts[name] = part
    return parts


def _check_unusable(unusable: Sequence[Path], paths: Sequence[Path], data: CaptioningData) -> None:
    if not paths:
        raise InputError(f"{data.files[0]}: no captions in it; expected the name of a picture and a caption a line")
    if len(unusable) == len(paths) or len(unusable) > max(1, data.skipped_share * len(paths)):
        reason = _reason(unusable[0], data.size)
        raise InputError(
            f"{len(unusable):,} of {len(paths):,} pictures cannot be used, the first: {reason}; say by --images where "
            "they lie, or allow for more by --skipped-share"
        )


def _reason(path: Path, size: int) -> str:
    """Why a picture cannot be used."""
    try:
        read_picture(path, size)
    except InputError as error:
        return str(error).split("; expected")[0]
    return f"{path}: changed while it was read"


def _leave_out(parts: dict[str, _Part], unusable: Sequence[Path], size: int) -> None:
    """Take the captions of pictures that cannot be used out, and say so of each picture."""
    for part in parts.values():
        counts = Counter(caption.picture for caption in part.captions)
        part.skipped += [f"{_reason(path, size)} ({counts[path]} captions)" for path in unusable if path in counts]
        gone = set(unusable)
        part.captions = [caption for caption in part.captions if caption.picture not in gone]


def _hold_out(parts: dict[str, _Part], digests: dict[Path, bytes], data: CaptioningData) -> None:
    """Part what is learnt from in two."""
    whole = parts["train"]
    if len(whole.pictures) < 2:
        raise InputError(
            f"{len(whole.pictures)} pictures to learn from; expected at least two, one of them to hold out; give more"
        )
    seed = str(data.split_seed).encode()
    seeded = {str(path): hashlib.sha256(seed + digests[path]).digest() for path in whole.pictures}
    chosen = drawn(seeded, data.held_out_share)
    held = [caption for caption in whole.captions if str(caption.picture) in chosen]
    whole.captions = [caption for caption in whole.captions if str(caption.picture) not in chosen]
    test = parts.pop("test", None)
    parts["held_out"] = _Part(held)
    if test is not None:
        parts["test"] = test


def _check_parts(parts: dict[str, _Part]) -> None:
    for name, part in parts.items():
        if not part.captions:
            why = f": {part.skipped[0]}" if part.skipped else ""
            raise InputError(f"the {name.replace('_', '-')} part has no caption of a picture left{why}; give more data")


def _colours(pictures: Pictures, numbers: Sequence[int]) -> tuple[list[float], list[float]]:
    """Mean and deviation of red, green and blue, from 0 to 1, over some pictures, read one after another."""
    total, squares = np.zeros(3), np.zeros(3)
    for number in numbers:
        values = pictures[number].reshape(-1, 3) / 255
        total += values.mean(0)
        squares += (values**2).mean(0)
    mean = total / len(numbers)
    deviation = np.sqrt(np.maximum(squares / len(numbers) - mean**2, 0))
    return mean.tolist(), np.maximum(deviation, 1 / 255).tolist()


def _arrays(part: _Part, numbers: dict[Path, int], encoding: CaptioningEncoding) -> Iterator[Pair]:
    for caption in part.captions:
        words = caption.words
        targets = encoding.targets(words)
        part.words += len(words)
        part.unknown += int((targets == UNKNOWN).sum())
        part.cut += len(words) > encoding.longest
        yield np.array([numbers[caption.picture]], np.int64), targets


def _described(part: _Part) -> dict[str, Any]:
    return {
        "pictures": len(part.pictures),
        "captions": len(part.captions),
        "words": part.words,
        "unknown words": part.unknown,
        "longer than kept": part.cut,
        "skipped": part.skipped,
    }


def _without_caption(paths: Sequence[Path]) -> int:
    """How many pictures lie beside those with captions and have none."""
    known = {path.name for path in paths}
    folders = {path.parent for path in paths}
    beside = (one for folder in folders if folder.is_dir() for one in folder.iterdir())
    return sum(one.suffix.lower() in SUFFIXES and one.name not in known for one in beside)
